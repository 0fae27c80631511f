export { defaultPolicy } from './commands/policy.js';
export type { LedgerOptions, LedgerPorts } from './ledger.js';
export { defaultLedgerTiming, Ledger } from './ledger.js';

/** The ledger over HTTP. It takes longer to load than all the rest, so whoever wants it says when. */
export const loadHttp = () => import('./http/index.js');
