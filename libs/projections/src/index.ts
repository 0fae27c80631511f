export { canonicalDigest, canonicalViews } from './canonical.js';
export type { Compacted } from './compact.js';
export { compactViews } from './compact.js';
export type { Page, Paging } from './cursor.js';
export type {
  DecodedEvent,
  DecodedHostEvent,
  DecodedImageEvent,
  DecodedWorkspaceEvent,
  ForeignEvent,
  KnownEvent,
} from './decode.js';
export { decodeEvent, encodeEvent } from './decode.js';
export { OutOfOrder, UndecodableEvent, UnknownCursor, ViewsDamaged, ViewsInUse, ViewsUnavailable } from './errors.js';
export type { CommandUse } from './folds/commands.js';
export type { HistoryRow } from './folds/history.js';
export type { HostRow } from './folds/hosts.js';
export type { ImageRow } from './folds/images.js';
export type { OperationRow, OperationStatus } from './folds/operations.js';
export type { WorkspaceRow } from './folds/workspaces.js';
export type { Limits } from './projector.js';
export type { OperationFilter } from './read-models/operations.js';
export type { LockFilter, LockRow, WorkspaceFilter } from './read-models/workspaces.js';
export type { Rebuilt, RebuildOptions } from './rebuild.js';
export { rebuildViews } from './rebuild.js';
export type { HistoryRange, ViewsOptions } from './views.js';
export { openViews, Views } from './views.js';
