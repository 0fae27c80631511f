export type * from './host.js';
export { decideHost, evolveHost, unknownHost } from './host.js';
