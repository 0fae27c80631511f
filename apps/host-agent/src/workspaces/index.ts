export type { Deployment, Found } from './deployment.js';
export { writeDurably } from './durable.js';
export { Workspaces } from './workspaces.js';
