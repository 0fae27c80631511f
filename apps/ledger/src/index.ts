export { defaultPolicy } from './commands/policy.js';
export { openApiDocument } from './http/openapi/document.js';
export { createHttpServer } from './http/server.js';
export type { LedgerOptions, LedgerPorts } from './ledger.js';
export { defaultLedgerTiming, Ledger } from './ledger.js';
