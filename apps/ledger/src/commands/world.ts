/** What the rest of the world contributes to a command: read from the views, which may lag; the append decides what still holds. */
import { type HostState, type ImageRef, type WorkspaceId, type WorkspaceState } from '@vw/domain';

export interface World {
  /** The image that a name means now, if it is available. */
  image(name: string): ImageRef | undefined;
  hosts(): readonly HostState[];
  /** The workspace as its stream says, unborn where there is none. */
  workspace(id: WorkspaceId): Promise<WorkspaceState>;
}
