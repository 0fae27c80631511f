export type { Deployment, Found } from './deployment.js';
export { Workspaces } from './workspaces.js';
