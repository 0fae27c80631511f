export { createHostAgent, type HostAgent } from './agent.js';
export type { Counters } from './counters.js';
export { JournalCorrupted } from './journal/index.js';
export type { HostAgentOptions, HostAgentPorts } from './options.js';
