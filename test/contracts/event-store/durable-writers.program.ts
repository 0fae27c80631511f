/**
 * 32 writers on one store, until somebody kills the process. Arguments: the store's location, and the name of this run.
 *
 * Prints `pid <n>` first, `try <stream> <expected> <id> <id>` before an append, `ok <stream> <revision> <position>` once it was
 * acknowledged, and `no <stream> <error>` when it was refused; a refused append is tried again with the same ids.
 */
import { randomUUID } from 'node:crypto';
import { openStore } from '@vw/event-store';
import { silentLogger, systemClock, systemIds, systemRandom, systemTimers } from '@vw/runtime';

const WRITERS = 32;

const [location = '', run = ''] = process.argv.slice(2);

/** A line that a kill swallows is one promise fewer to hold the store to; a line that came out is one to be kept. */
function say(line: string): void {
  process.stdout.write(`${line}\n`);
}

const store = await openStore(location, {
  clock: systemClock,
  timers: systemTimers,
  ids: systemIds,
  random: systemRandom,
  logger: silentLogger,
});

async function write(stream: string): Promise<never> {
  for (let expected: number | 'no-stream' = 'no-stream'; ;) {
    const ids = [randomUUID(), randomUUID()];
    const events = ids.map((id) => ({
      id,
      type: 'T',
      contentType: 'json' as const,
      data: Buffer.alloc(400, id),
      metadata: Buffer.from('{}'),
    }));
    say(`try ${stream} ${expected} ${ids.join(' ')}`);
    expected = await appendAtLast(stream, expected, events);
  }
}

async function appendAtLast(
  stream: string,
  expected: number | 'no-stream',
  events: Parameters<typeof store.append>[2],
): Promise<number> {
  for (;;) {
    try {
      const { revision, position } = await store.append(stream, expected, events);
      say(`ok ${stream} ${revision} ${position}`);
      return revision;
    } catch (error) {
      say(`no ${stream} ${(error as Error).name}`);
    }
  }
}

say(`pid ${process.pid}`);
await Promise.all(Array.from({ length: WRITERS }, (_, writer) => write(`run-${run}-writer-${writer}`)));
