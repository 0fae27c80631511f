/** The repository's view of a workspace (the paper's VW Repository): its whole state, and what one looks it up by. */
import { type Instant, type PaperState, paperState, type WorkspaceState } from '@vw/domain';

export interface WorkspaceRow {
  readonly state: WorkspaceState;
  /** One of the paper's four states. */
  readonly paperState: PaperState;
  /** When its last event was recorded. */
  readonly updatedAt: Instant;
}

/** What workspaces are found by. Null where there is none. */
export interface WorkspaceKeys {
  readonly paperState: PaperState;
  readonly definition: WorkspaceState['definition'];
  readonly name: string;
  readonly owner: string;
  readonly holder: string | null;
  /** Where it is placed. */
  readonly hostId: string | null;
  /** When its lifetime ends; null also once it is over, recorded, and no host has it any more: nothing is left to do about it. */
  readonly expiresAt: Instant | null;
}

export function workspaceKeys(state: WorkspaceState): WorkspaceKeys {
  return {
    paperState: paperState(state),
    definition: state.definition,
    name: state.description.name,
    owner: state.owner,
    holder: state.lock.kind === 'held' ? state.lock.holder : null,
    hostId: state.placement.kind === 'none' ? null : state.placement.hostId,
    expiresAt: state.expired && state.placement.kind === 'none' ? null : (state.expiresAt ?? null),
  };
}
