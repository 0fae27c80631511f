/** What the rest of the world contributes to a command: read from the views, which may lag; the append decides what still holds. */
import { type HostOffer, type ImageRef, type WorkspaceId, type WorkspaceState } from '@vw/domain';

export interface World {
  /** The image that a name means now, if it is available. */
  image(name: string): ImageRef | undefined;
  /** Every known host, with the memory that it owes already. */
  hosts(): readonly HostOffer[];
  /** The workspace as its stream says, unborn where there is none. */
  workspace(id: WorkspaceId): Promise<WorkspaceState>;
}
