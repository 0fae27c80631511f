/** What every call of the facade is served with. */
import type { Clock, Logger, Timers } from '@vw/runtime';
import type { EventLog } from '../log.js';
import type { Access } from './access.js';

export interface Room {
  readonly log: EventLog;
  readonly access: Access;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly logger: Logger;
  /** Aborts when the facade begins to close: whoever would go on for ever then ends, as unavailable. */
  readonly closing: AbortSignal;
}
