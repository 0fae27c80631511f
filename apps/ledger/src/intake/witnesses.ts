/** When a host last said anything about a workspace: what tells a slow host from a silent one. Lost with the process, and asked for again. */
import type { Clock } from '@vw/runtime';

export class Witnesses {
  private readonly heard = new Map<string, number>();

  constructor(private readonly clock: Clock) {}

  hear(workspaceId: string): void {
    this.heard.set(workspaceId, this.clock.monotonic());
  }

  /** Whether a host has spoken of the workspace at or after a monotonic time. */
  heardSince(workspaceId: string, monotonic: number): boolean {
    return (this.heard.get(workspaceId) ?? -Infinity) >= monotonic;
  }
}
