/** The proof that a VMM can run a guest here: a presence of `/dev/kvm`, a version, an exit status are none. */
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { HypervisorDeps } from '../deps.js';
import { buildHeartbeatGuest } from '../heartbeat-guest/index.js';
import type { GuestSpec, Hypervisor } from '../port.js';

const LOOK_EVERY_MS = 10;

/**
 * Boots the tiny guest in a directory of its own, to its first heartbeat, and removes both.
 * @returns how long that took, in milliseconds; never more than `patienceMs`. @throws Error saying what happened instead
 */
export async function bootTinyGuest(
  hypervisor: Hypervisor,
  deps: HypervisorDeps,
  patienceMs: number,
  signal?: AbortSignal,
): Promise<number> {
  const directory = await mkdtemp(join(tmpdir(), 'vw-probe-'));
  const file = join(directory, 'guest.bin');
  const spec: GuestSpec = {
    workspaceId: `probe-${deps.ids.next()}`,
    epoch: 1,
    directory,
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
      if (signal?.aborted === true) throw new Error('the probe was called off');
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

async function console(hypervisor: Hypervisor, directory: string): Promise<string> {
  return readFile(hypervisor.serialFile(directory), 'utf8').catch(() => '');
}
