/**
 * What it costs to fold the log into views, beside the least that reading it can cost: parsing the JSON of the same events. The two
 * are measured in turn, several times, in one run, and divided.
 *
 * Not measured: reading the log from the disk (`event-store.bench.ts` does), and views that follow a live log.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { RecordedEvent } from '@vw/event-store';
import { rebuildViews } from '@vw/projections';
import { LogInMemory } from '../test/contracts/projections/log-in-memory.js';
import { foreignStream } from '../test/contracts/projections/lifecycles.js';
import { lifecycles, workspacesAlive } from './lifecycles.js';
import { median } from './median.js';
import type { BenchRow } from './row.js';
import { secondsOf } from './writers.js';

const EVENTS = 100_000;
const ROUNDS = 7;

export async function bench(): Promise<BenchRow[]> {
  const log = lifecycles(EVENTS);
  const store = new LogInMemory(log);
  const folder = await mkdtemp(join(tmpdir(), 'replay-bench-'));
  const replays: number[] = [];
  const parses: number[] = [];
  try {
    // The round before the first warms both sides up and is not counted.
    for (let round = -1; round < ROUNDS; round += 1) {
      const parsed = await secondsOf(async () => parseAll(log));
      const replayed = await secondsOf(() => rebuildViews({ file: join(folder, 'views.db'), store }));
      if (round < 0) continue;
      parses.push(EVENTS / parsed);
      replays.push(EVENTS / replayed);
    }
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
  const ratios = replays.map((value, round) => value / (parses[round] ?? Number.NaN));
  const bytes = log.reduce((sum, event) => sum + event.data.length + event.metadata.length, 0);
  const what = `${EVENTS} lifecycle events of ${Math.round(bytes / EVENTS)} bytes in the mean, ${workspacesAlive} workspaces alive at a time`;
  return [
    {
      figure: 'replay to views against JSON.parse',
      value: median(ratios),
      aim: '>= 0.4',
      unit: 'ratio',
      detail: `rebuild of every view on disk, indexes included ÷ JSON.parse of data and metadata; ${what}; median of ${ROUNDS} rounds`,
    },
    {
      figure: 'replay to views',
      value: median(replays),
      aim: '',
      unit: 'events/s',
      detail: `from memory to a file flushed to the disk; JSON.parse alone did ${Math.round(median(parses))} events/s in the same run`,
    },
  ];
}

function parseAll(log: readonly RecordedEvent[]): void {
  const parse = (bytes: Uint8Array): unknown => JSON.parse((bytes as Buffer).toString('utf8'));
  let seen = 0;
  for (const { data, metadata, stream } of log) {
    if (stream === foreignStream) continue;
    if (parse(data) !== null && parse(metadata) !== null) seen += 1;
  }
  if (seen === 0) throw new Error('nothing was parsed');
}
