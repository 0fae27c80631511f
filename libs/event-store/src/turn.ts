/** Steps aside for whatever else the event loop has to do. No time is waited for, so no clock has a part in it. */
// oxlint-disable-next-line no-restricted-imports -- not a timer: it ends with the turn of the loop that is under way
import { setImmediate } from 'node:timers/promises';

export function nextTurn(): Promise<void> {
  return setImmediate();
}
