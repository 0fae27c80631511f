/**
 * How long the service takes from its start as a process to its first command, and what it holds in memory when nothing is asked of it: with nothing
 * recorded, and with a million events. The log is written by the event store itself, with lives that the deciders gave; the views are the service's own.
 * Memory is the resident set of the whole process, of the built-in guests' VMM too where that is in it.
 *
 * Not measured: a start after a power cut, with cold caches of the disk.
 */
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type EventStore, openEmbeddedStore, type RecordedEvent } from '@vw/event-store';
import { systemClock, systemTimers } from '@vw/runtime';
import { seeded, Site } from '../test/contracts/projections/lifecycles.js';
import { startService } from '../test/support/service-process.js';
import { median } from './median.js';
import type { BenchRow } from './row.js';

const EVENTS = 1_000_000;
const WORKSPACES_ALIVE = 200;
const STARTS = 5;
/** After so long nothing of the start is under way any more. */
const REST_MS = 2_000;
/** Appends on their way at once. */
const WINDOW = 5_000;

interface Start {
  readonly readyMs: number;
  readonly restMiB: number;
  /** What the service says of its VMM. */
  readonly vmm: string;
}

export async function bench(): Promise<BenchRow[]> {
  const folder = await mkdtemp(join(tmpdir(), 'service-bench-'));
  try {
    const empty: Start[] = [];
    while (empty.length < STARTS) empty.push(await start(join(folder, `empty-${empty.length}`)));
    const data = join(folder, 'million');
    await fill(join(data, 'log.sqlite'));
    const fromZero = await start(data);
    const full: Start[] = [];
    while (full.length < STARTS) full.push(await start(data));
    return rows(empty, full, fromZero);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

function rows(empty: readonly Start[], full: readonly Start[], fromZero: Start): BenchRow[] {
  const started = `from the start of the process to the address that it prints; median of ${STARTS}`;
  const rested = `resident set ${REST_MS / 1000} s after the start; median of ${STARTS}`;
  const ready = (starts: readonly Start[]) => ({ value: median(starts.map(({ readyMs }) => readyMs)), unit: 'ms' });
  const memory = (starts: readonly Start[]) => ({ value: median(starts.map(({ restMiB }) => restMiB)), unit: 'MiB' });
  const events = `${EVENTS.toLocaleString('en')} events`;
  return [
    { figure: 'start, nothing recorded', ...ready(empty), aim: '', detail: `${started}; ${empty[0]?.vmm}` },
    { figure: `start, ${events}`, ...ready(full), aim: '', detail: `${started}; views as they were left` },
    { figure: `start, ${events}, no views`, ...ready([fromZero]), aim: '', detail: 'every view folded anew, once' },
    { figure: 'memory at rest, nothing recorded', ...memory(empty), aim: '', detail: rested },
    { figure: `memory at rest, ${events}`, ...memory(full), aim: '', detail: rested },
  ];
}

async function start(data: string): Promise<Start> {
  const begun = systemClock.monotonic();
  const service = await startService(data);
  const readyMs = systemClock.monotonic() - begun;
  try {
    await systemTimers.sleep(REST_MS);
    const vmm = /guests run on (\S+ [\w.]+)/.exec(service.output())?.[0] ?? '';
    return { readyMs, restMiB: await residentMiB(service.child.pid), vmm };
  } finally {
    await service.stop();
  }
}

/** proc_pid_status(5): the size in KiB. */
async function residentMiB(pid: number | undefined): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8');
  return Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1]) / 1024;
}

async function fill(file: string): Promise<void> {
  const site = new Site({ choose: seeded(1), workspaces: WORKSPACES_ALIVE, oddity: 2 });
  const store = await openEmbeddedStore({ file, clock: systemClock });
  try {
    for (let done = 0; done < EVENTS; done += WINDOW) {
      while (site.log.length < done + WINDOW) site.step();
      await Promise.all(site.log.slice(done, Math.min(done + WINDOW, EVENTS)).map((event) => append(store, event)));
    }
  } finally {
    await store.close();
  }
}

async function append(store: EventStore, { stream, revision, ...event }: RecordedEvent): Promise<void> {
  await store.append(stream, revision === 0 ? 'no-stream' : revision - 1, [event]);
}
