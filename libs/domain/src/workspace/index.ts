export type { CommandOf, WorkspaceCommand } from './commands.js';
export { ledgerSubject } from './commands.js';
export { decideWorkspace } from './decide.js';
export type * from './events.js';
export type { Interpretation, Observation, WorkspaceEvidence } from './evidence.js';
export { interpretEvidence } from './evidence.js';
export { evolve, foldWorkspace, hotImageOf } from './evolve.js';
export type * from './state.js';
export { paperState, unborn } from './state.js';
