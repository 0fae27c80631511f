/**
 * How long a call may leave what it has begun: a while, and no longer than the facade is open. Whoever begins is remembered, in
 * order, and one look a second at those who have waited longest serves all of them: thousands begin and end in that time, and a
 * timer for each would be the dearest part of serving it.
 */
import type { Clock, Timers } from '@vw/runtime';

const LOOK_MS = 1_000;

export class Patience {
  private readonly began = new Map<() => void, number>();
  private watching = false;

  /** `ms`: at least so long, and less than a look longer. */
  constructor(
    private readonly clock: Clock,
    private readonly timers: Timers,
    private readonly closing: AbortSignal,
    private readonly ms: number,
  ) {}

  /** `giveUp` is called when the time is over or the facade closes, unless `end` comes first. */
  begin(giveUp: () => void): void {
    this.began.set(giveUp, this.clock.monotonic());
    if (!this.watching) void this.watch();
  }

  end(giveUp: () => void): void {
    this.began.delete(giveUp);
  }

  private async watch(): Promise<void> {
    this.watching = true;
    while (this.began.size > 0) {
      await this.timers.sleep(LOOK_MS, this.closing);
      const latest = this.closing.aborted ? Infinity : this.clock.monotonic() - this.ms;
      for (const [giveUp, since] of this.began) {
        if (since > latest) break;
        this.began.delete(giveUp);
        giveUp();
      }
    }
    this.watching = false;
  }
}
