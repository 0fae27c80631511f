/** Says every so often that this agent lives, and what its host has. A lost heartbeat is no harm: another follows. */
import { type CapacityReport, type Heartbeat, type Id, subjects } from '@vw/contracts';
import type { Bus } from '@vw/messaging';
import type { Clock, Logger, Timers } from '@vw/runtime';

export class Heart {
  constructor(
    private readonly hostId: Id,
    private readonly bootId: Id,
    private readonly capacity: CapacityReport,
    private readonly everyMs: number,
    private readonly bus: Bus,
    private readonly clock: Clock,
    private readonly timers: Timers,
    private readonly logger: Logger,
  ) {}

  /** Beats at once, then regularly until the signal aborts. */
  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await this.#beat();
      await this.timers.sleep(this.everyMs, signal);
    }
  }

  async #beat(): Promise<void> {
    const { hostId, bootId, capacity } = this;
    const heartbeat: Heartbeat = { hostId, bootId, at: this.clock.now(), capacity };
    try {
      await this.bus.publish(subjects.heartbeat(hostId), { ...heartbeat });
    } catch (error) {
      this.logger.debug({ err: error }, 'a heartbeat was lost');
    }
  }
}
