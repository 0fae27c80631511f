/**
 * The proof that a VMM can run a guest here: a presence of `/dev/kvm`, a version, an exit status are none.
 *
 * The directory of a probe bears the process that made it, so that of one who was killed in the middle is known as such: its guest may live on, where
 * the VMM has processes of its own, and the next probe ends it.
 */
import { lstat, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir, userInfo } from 'node:os';
import { basename, join } from 'node:path';
import type { HypervisorDeps } from '../deps.js';
import { identifyProcess, isAlive } from '../files/process.js';
import { buildHeartbeatGuest } from '../heartbeat-guest/index.js';
import type { GuestSpec, Hypervisor } from '../port.js';

const LOOK_EVERY_MS = 10;
const PREFIX = 'vw-probe-';
const MADE_BY = /^vw-probe-(?<pid>\d+)-(?<startTicks>\d+)-\w+$/;

/**
 * Boots the tiny guest in a directory of its own, to its first heartbeat, and removes both.
 * @returns how long that took, in milliseconds; never more than `patienceMs`. @throws Error saying what happened instead; the signal's reason
 */
export async function bootTinyGuest(
  hypervisor: Hypervisor,
  deps: HypervisorDeps,
  patienceMs: number,
  signal: AbortSignal,
): Promise<number> {
  const directory = await mkdtemp(join(tmpdir(), `${PREFIX}${await thisProcess()}-`));
  const file = join(directory, 'guest.bin');
  const spec: GuestSpec = {
    ...guestIn(directory),
    memoryMiB: 16,
    cpus: 1,
    boot: { kind: 'kernel', file },
    commandLine: 'probe',
  };
  try {
    await writeFile(file, buildHeartbeatGuest());
    await hypervisor.stage(spec);
    const begun = deps.clock.monotonic();
    await hypervisor.start(spec);
    while (!(await console(hypervisor, directory)).includes('HB 1\n')) {
      signal.throwIfAborted();
      const elapsedMs = deps.clock.monotonic() - begun;
      if (elapsedMs > patienceMs) throw new Error(`no heartbeat came in ${patienceMs} ms`);
      const seen = await hypervisor.observe(spec.workspaceId, spec.epoch);
      if (seen.power === 'absent') throw new Error(seen.cause ?? 'the guest ended before its first heartbeat');
      await deps.timers.sleep(LOOK_EVERY_MS, signal);
    }
    return deps.clock.monotonic() - begun;
  } finally {
    await hypervisor.undeploy(spec);
    await rm(directory, { recursive: true, force: true });
  }
}

/** Ends what the probes of killed processes have left. What cannot be ended now is another probe's to end. */
export async function removeOrphans(hypervisor: Hypervisor, { logger }: HypervisorDeps): Promise<void> {
  for (const name of await readdir(tmpdir())) {
    const directory = join(tmpdir(), name);
    try {
      if (!(await isOrphan(directory))) continue;
      await hypervisor.undeploy(guestIn(directory));
      await rm(directory, { recursive: true, force: true });
    } catch (error) {
      logger.warn({ err: error, directory }, 'what a killed probe has left could not be removed');
    }
  }
}

/** Everyone may write to the place where probes lie: only what this user has made is believed to be a probe. */
async function isOrphan(directory: string): Promise<boolean> {
  const { pid, startTicks } = MADE_BY.exec(basename(directory))?.groups ?? {};
  if (pid === undefined || startTicks === undefined || (await isAlive({ pid: Number(pid), startTicks }))) return false;
  const made = await lstat(directory);
  return made.isDirectory() && made.uid === userInfo().uid;
}

/** Where there is no process table, nothing tells a living process: then no probe is taken for an orphan. */
async function thisProcess(): Promise<string> {
  const self = await identifyProcess(process.pid);
  return self === undefined ? 'of-someone' : `${self.pid}-${self.startTicks}`;
}

/** A probe's guest is named after its directory, so it is found by that alone. */
const guestIn = (directory: string) => ({ workspaceId: basename(directory), epoch: 1, directory });

async function console(hypervisor: Hypervisor, directory: string): Promise<string> {
  return readFile(hypervisor.serialFile(directory), 'utf8').catch(() => '');
}
