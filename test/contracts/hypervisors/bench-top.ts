/**
 * What the suite needs around an adapter: directories, the tiny guest's kernel, and eyes on its console. Nothing here sleeps for a time and
 * hopes: it waits for what it wants to see, within a bound that only a failure reaches.
 */
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buildHeartbeatGuest, type GuestEvent, type GuestSpec, type Hypervisor } from '@vw/hypervisors';
import { systemTimers } from '@vw/runtime';

const PATIENCE_MS = 30_000;
const LOOK_EVERY_MS = 5;

export interface BenchTop {
  readonly folder: string;
  /** A workspace of its own with the tiny guest as its kernel. */
  spec(workspaceId: string, changes?: Partial<GuestSpec>): Promise<GuestSpec>;
  remove(): Promise<void>;
}

export async function layBenchTop(): Promise<BenchTop> {
  const folder = await mkdtemp(join(tmpdir(), 'vw-hypervisors-'));
  return {
    folder,
    async spec(workspaceId, changes = {}) {
      const directory = changes.directory ?? join(folder, workspaceId);
      await mkdir(directory, { recursive: true });
      const file = join(directory, 'kernel');
      await writeFile(file, buildHeartbeatGuest());
      const boot = { kind: 'kernel', file } as const;
      return {
        workspaceId,
        epoch: 1,
        directory,
        memoryMiB: 16,
        cpus: 1,
        boot,
        commandLine: `guest of ${workspaceId}`,
        ...changes,
      };
    },
    remove: () => rm(folder, { recursive: true, force: true }),
  };
}

export async function consoleOf(hypervisor: Hypervisor, { directory }: Pick<GuestSpec, 'directory'>): Promise<string> {
  return readFile(hypervisor.serialFile(directory), 'utf8').catch(() => '');
}

/** The numbers of all heartbeats on the console, in their order. A line that is still being written is not one yet. */
export async function heartbeatsOf(hypervisor: Hypervisor, spec: Pick<GuestSpec, 'directory'>): Promise<number[]> {
  const whole = (await consoleOf(hypervisor, spec)).split('\n').slice(0, -1);
  return whole.flatMap((line) => /^HB (\d+)\r?$/.exec(line)?.[1] ?? []).map(Number);
}

export async function until(what: string, holds: () => Promise<boolean> | boolean): Promise<void> {
  const deadline = AbortSignal.timeout(PATIENCE_MS);
  while (!(await holds())) {
    if (deadline.aborted) throw new Error(`waited ${PATIENCE_MS} ms in vain: ${what}`);
    await systemTimers.sleep(LOOK_EVERY_MS);
  }
}

/** Waits for `count` further heartbeats and gives all there are then. */
export async function afterBeats(
  hypervisor: Hypervisor,
  spec: Pick<GuestSpec, 'directory'>,
  count: number,
): Promise<number[]> {
  const before = (await heartbeatsOf(hypervisor, spec)).length;
  await until(`${count} further heartbeats in ${spec.directory}`, async () => {
    return (await heartbeatsOf(hypervisor, spec)).length >= before + count;
  });
  return heartbeatsOf(hypervisor, spec);
}

/** `from`, `from` + 1, … `count` numbers long: what heartbeats must be when none is lost, doubled or begun anew. */
export function countingFrom(from: number, count: number): number[] {
  return Array.from({ length: count }, (_, i) => from + i);
}

/** Collects the events from now on. */
export function collectEvents(hypervisor: Hypervisor): { readonly events: GuestEvent[]; stop(): Promise<void> } {
  const over = new AbortController();
  const events: GuestEvent[] = [];
  const listening = hypervisor.events(over.signal);
  const done = (async () => {
    for await (const event of listening) events.push(event);
  })();
  return {
    events,
    async stop() {
      over.abort();
      await done;
    },
  };
}
