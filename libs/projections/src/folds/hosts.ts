/** The hosts as they last spoke (PROTOCOL.md, "Losing a host"). */
import type { HostState, Instant } from '@vw/domain';

export interface HostRow {
  readonly state: HostState;
  /** When its last event was recorded. Heartbeats are no events. */
  readonly updatedAt: Instant;
  /** How many workspaces are placed on it. */
  readonly workspaces: number;
}
