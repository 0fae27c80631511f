/** What every adapter is given: time, chance and a place for its lines, all from outside. */
import type { Clock, Ids, Logger, Random, Timers } from '@vw/runtime';

export interface HypervisorDeps {
  readonly clock: Clock;
  readonly timers: Timers;
  readonly ids: Ids;
  readonly random: Random;
  readonly logger: Logger;
}
