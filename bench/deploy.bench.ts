/**
 * What the ledger adds to bringing a guest up: from the command to deploy, over HTTP, to the guest's first heartbeat, beside the same staging and the same
 * calls of the VMM's adapter made by a program that keeps no record of anything. Both copy and verify the image from a repository, make it durable, start
 * the tiny guest in a machine of the same size, and look for its heartbeat in the same file at the same pace. 100 ms of either are the guest's own.
 *
 * Not measured: large images, where copying outweighs everything else on both sides, and hosts at the other end of a network.
 */
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buildHeartbeatGuest, createHypervisor, type GuestSpec, type Hypervisor } from '@vw/hypervisors';
import { type ImageRepository, openDirectoryRepository } from '@vw/images';
import { silentLogger, systemClock, systemIds, systemRandom, systemTimers } from '@vw/runtime';
import { requireServer } from '../test/support/provisioned.js';
import { type RunningService, startService } from '../test/support/service-process.js';
import { median } from './median.js';
import type { BenchRow } from './row.js';

const ROUNDS = 15;
const FIRST_HEARTBEAT = 'HB 1\n';
const LOOK_EVERY_MS = 1;
const deps = { clock: systemClock, timers: systemTimers, ids: systemIds, random: systemRandom, logger: silentLogger };

export async function bench(): Promise<BenchRow[]> {
  const rows = await measure('v86');
  return requireServer('qemu-system-x86_64') ? [...rows, ...(await measure('qemu'))] : rows;
}

async function measure(type: 'v86' | 'qemu'): Promise<BenchRow[]> {
  const folder = await mkdtemp(join(tmpdir(), `deploy-bench-${type}-`));
  const data = join(folder, 'data');
  const service = await startService(data, { VW_HYPERVISOR: type });
  const hypervisor = createHypervisor(type, deps);
  try {
    await hypervisor.probe();
    const images = await openDirectoryRepository({ directory: join(folder, 'images'), clock: systemClock });
    const digest = await putTinyGuest(images, folder);
    const throughLedger: number[] = [];
    const direct: number[] = [];
    // In turn, so that a busy moment of the host falls on both; the rounds before the first warm both up and are not counted.
    for (let round = -2; round < ROUNDS; round += 1) {
      const { tookMs, machine } = await bringUpThroughLedger(service, join(data, 'hosts/local/workspaces'));
      const spec = { ...machine, workspaceId: `w${round + 2}`, epoch: 1, directory: join(folder, `w${round + 2}`) };
      const directMs = await bringUpDirectly(hypervisor, images, digest, spec);
      if (round < 0) continue;
      throughLedger.push(tookMs);
      direct.push(directMs);
    }
    return rowsOf(type, throughLedger, direct);
  } finally {
    await hypervisor.close();
    await service.stop();
    await rm(folder, { recursive: true, force: true });
  }
}

function rowsOf(type: string, throughLedger: readonly number[], direct: readonly number[]): BenchRow[] {
  const ratios = throughLedger.map((ms, round) => ms / (direct[round] ?? Number.NaN));
  return [
    {
      figure: `${type}: deploy and start against the VMM alone`,
      value: median(ratios),
      aim: '<= 1.15',
      unit: 'ratio',
      detail:
        'from POST deploy, through both outcomes, to the first heartbeat ÷ fetch from a repository, the adapter’s stage and ' +
        `start, to the first heartbeat; median of ${ROUNDS} pairs`,
    },
    {
      figure: `${type}: deploy and start`,
      value: median(throughLedger),
      aim: '',
      unit: 'ms',
      detail: `through the ledger; directly it took ${median(direct).toFixed(0)} ms in the same run`,
    },
  ];
}

/** The size of the machine is what the ledger made of the description, so that the other side can have the same. */
async function bringUpThroughLedger(service: RunningService, workspaces: string) {
  const { api } = service;
  const id = await api.create();
  const events = await follow(`${api.url}/v1/events?workspace=${id}`);
  const begun = systemClock.monotonic();
  await accepted(api.command(id, 'deploy'));
  await events.until('WorkspaceDeployed');
  await accepted(api.command(id, 'start'));
  await firstHeartbeat(join(workspaces, id, 'serial.log'));
  const tookMs = systemClock.monotonic() - begun;
  await events.until('WorkspaceStarted');
  events.close();
  const { machine } = JSON.parse(await readFile(join(workspaces, id, 'deployment.json'), 'utf8')) as {
    readonly machine: Pick<GuestSpec, 'memoryMiB' | 'cpus' | 'commandLine'>;
  };
  await api.done(id, 'stop', { mode: 'hard' });
  await api.done(id, 'undeploy');
  return { tookMs, machine };
}

async function bringUpDirectly(
  hypervisor: Hypervisor,
  images: ImageRepository,
  digest: string,
  machine: Omit<GuestSpec, 'boot'>,
): Promise<number> {
  const { directory } = machine;
  const spec: GuestSpec = { ...machine, boot: { kind: 'kernel', file: join(directory, 'boot.img') } };
  const begun = systemClock.monotonic();
  await mkdir(directory);
  await images.fetch(digest, spec.boot.file);
  await hypervisor.stage(spec);
  await hypervisor.start(spec);
  await firstHeartbeat(hypervisor.serialFile(directory));
  const tookMs = systemClock.monotonic() - begun;
  await hypervisor.undeploy(spec);
  await rm(directory, { recursive: true });
  return tookMs;
}

async function firstHeartbeat(file: string): Promise<void> {
  const patience = AbortSignal.timeout(30_000);
  while (!(await readFile(file, 'utf8').catch(() => '')).includes(FIRST_HEARTBEAT)) {
    patience.throwIfAborted();
    await systemTimers.sleep(LOOK_EVERY_MS);
  }
}

/** The ledger's events as they are pushed: to be told costs no polling. */
async function follow(url: string) {
  const over = new AbortController();
  const { body } = await fetch(url, { signal: over.signal });
  const pieces = body!.pipeThrough(new TextDecoderStream())[Symbol.asyncIterator]();
  let text = '';
  return {
    async until(type: string): Promise<void> {
      while (!text.includes(`event: ${type}\n`)) {
        const { done, value } = await pieces.next();
        if (done) throw new Error(`the events ended before ${type}: ${text}`);
        text += value;
      }
    },
    close: () => over.abort(),
  };
}

async function accepted(sent: Promise<{ readonly status: number; readonly body: unknown }>): Promise<void> {
  const { status, body } = await sent;
  if (status !== 202) throw new Error(`${status} ${JSON.stringify(body)}`);
}

async function putTinyGuest(images: ImageRepository, folder: string): Promise<string> {
  const file = join(folder, 'guest.img');
  await writeFile(file, buildHeartbeatGuest());
  return (await images.put(file, { kind: 'kernel', name: 'heartbeat' })).digest;
}
