/** Guests that end without being asked to. An event is a hint: the guest is observed, and what was seen is said. */
import type { Hypervisor } from '@vw/hypervisors';
import type { Logger, Timers } from '@vw/runtime';
import type { Performer } from '../tasks/performer.js';
import type { KeyedQueue } from '../tasks/queue.js';

const AFTER_FAULT_MS = 1_000;

export class Watch {
  constructor(
    private readonly hypervisor: Hypervisor,
    private readonly performer: Performer,
    private readonly queue: KeyedQueue,
    private readonly timers: Timers,
    private readonly logger: Logger,
  ) {}

  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      try {
        for await (const event of this.hypervisor.events(signal)) {
          this.logger.info({ ...event }, 'a guest ended without being asked to');
          this.queue.add(event.workspaceId, () => this.performer.observe(event, `${event.kind}: ${event.detail}`));
        }
      } catch (error) {
        this.logger.warn({ err: error }, 'the hypervisor tells of nothing any more; it will be asked again');
      }
      await this.timers.sleep(AFTER_FAULT_MS, signal);
    }
  }
}
