/** Follows a long log in small batches until it is killed, printing each position once it is in the views. Argument: the views' file. */
import type { Position } from '@vw/event-store';
import { openViews } from '@vw/projections';
import { longLog } from './lifecycles.js';
import { LogInMemory } from './log-in-memory.js';

const file = process.argv.at(-1);
if (file === undefined) throw new Error('which file?');
const log = longLog();
const store = new LogInMemory();
const views = await openViews({ file, store, limits: { batchEvents: 40 } });
const { signal } = new AbortController();
void views.run(signal);
for (let from = 0; from < log.length; from += 100) {
  store.publish(log.slice(from, from + 100));
  await views.waitFor(Math.min(from + 100, log.length) as Position, signal);
  process.stdout.write(`${views.position()}\n`);
}
