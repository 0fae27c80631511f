/**
 * How long a VMM takes to bring the tiny guest to its first heartbeat: called directly, and through the port. The direct figure is what
 * later benchmarks divide by, so nothing of the adapters is in it. 100 ms of every figure are the guest's own: it beats after that time.
 *
 * Not measured: a real operating system's boot, staging of images, and a host that is busy with other guests.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { buildHeartbeatGuest, createHypervisor, type GuestSpec, type Hypervisor } from '@vw/hypervisors';
import { silentLogger, systemClock, systemIds, systemRandom, systemTimers } from '@vw/runtime';
import { V86 } from 'v86';
import { requireServer } from '../test/support/provisioned.js';
import { median } from './median.js';
import type { BenchRow } from './row.js';

export type MeasuredVmm = 'v86' | 'qemu';

const ROUNDS = 7;
const MEMORY_MIB = 16;
const FIRST_HEARTBEAT = 'HB 1\n';
const deps = { clock: systemClock, timers: systemTimers, ids: systemIds, random: systemRandom, logger: silentLogger };

export async function bench(): Promise<BenchRow[]> {
  const rows: BenchRow[] = [];
  const installed = requireServer('qemu-system-x86_64');
  for (const type of ['v86', 'qemu'] as const) {
    if (type === 'qemu' && !installed) continue;
    const raw: number[] = [];
    const ported: number[] = [];
    const hypervisor = createHypervisor(type, deps);
    // In turn, so that a busy moment of the host falls on both; the round before the first warms both up and is not counted.
    for (let round = -1; round < ROUNDS; round += 1) {
      const rawMs = await rawBoot(type);
      const portedMs = await portedBoot(hypervisor);
      if (round < 0) continue;
      raw.push(rawMs);
      ported.push(portedMs);
    }
    await hypervisor.close();
    const detail = `${MEMORY_MIB} MiB guest, from the call to its first heartbeat, median of ${ROUNDS}`;
    rows.push(
      { figure: `${type}: start through the port`, value: median(ported), aim: '', unit: 'ms', detail },
      { figure: `${type}: start by the VMM's own calls`, value: median(raw), aim: '', unit: 'ms', detail },
      {
        figure: `${type}: what the port adds`,
        value: median(ported) - median(raw),
        aim: '',
        unit: 'ms',
        detail: 'difference of the two: marker on disk, verified start, and for v86 a thread of its own',
      },
    );
  }
  return rows;
}

/** Milliseconds from the VMM's own call to the tiny guest's first heartbeat, without any of this project's adapters. */
export async function rawBoot(type: MeasuredVmm): Promise<number> {
  switch (type) {
    case 'v86':
      return rawV86Boot();
    case 'qemu':
      return rawQemuBoot();
  }
}

let compiled: Promise<WebAssembly.Module> | undefined;

async function rawV86Boot(): Promise<number> {
  compiled ??= readFile(join(dirname(createRequire(import.meta.url).resolve('v86')), 'v86.wasm')).then((bytes) =>
    WebAssembly.compile(bytes),
  );
  const wasm = await compiled;
  const kernel = buildHeartbeatGuest();
  const begun = systemClock.monotonic();
  const machine = new V86({
    wasm_fn: async (imports) => (await WebAssembly.instantiate(wasm, imports)).exports,
    memory_size: MEMORY_MIB << 20,
    vga_memory_size: 1 << 20,
    multiboot: { buffer: kernel.buffer as ArrayBuffer },
    cmdline: 'bench',
    autostart: true,
    disable_keyboard: true,
    disable_mouse: true,
    disable_speaker: true,
  });
  await new Promise<void>((resolve) => {
    let seen = '';
    machine.add_listener('serial0-output-byte', (byte) => {
      seen += String.fromCharCode(byte);
      if (seen.endsWith(FIRST_HEARTBEAT)) resolve();
    });
  });
  const tookMs = systemClock.monotonic() - begun;
  await machine.destroy();
  return tookMs;
}

async function rawQemuBoot(): Promise<number> {
  const folder = await mkdtemp(join(tmpdir(), 'vw-raw-boot-'));
  try {
    const kernel = join(folder, 'kernel');
    await writeFile(kernel, buildHeartbeatGuest());
    const begun = systemClock.monotonic();
    const machine = ['-machine', 'pc', '-accel', 'tcg', '-cpu', 'qemu64', '-m', `${MEMORY_MIB}M`];
    const bare = ['-nodefaults', '-no-user-config', '-display', 'none', '-serial', 'stdio'];
    const qemu = spawn('qemu-system-x86_64', [...machine, ...bare, '-kernel', kernel, '-append', 'bench'], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    let seen = '';
    for await (const text of qemu.stdout.setEncoding('utf8')) {
      seen += text as string;
      if (seen.includes(FIRST_HEARTBEAT)) break;
    }
    const tookMs = systemClock.monotonic() - begun;
    if (qemu.exitCode === null) {
      qemu.kill('SIGKILL');
      await once(qemu, 'exit');
    }
    if (!seen.includes(FIRST_HEARTBEAT)) throw new Error(`QEMU ended before the first heartbeat: ${seen}`);
    return tookMs;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** The same through the port, as the host agent does it: staged, started, and its console read from the file. */
async function portedBoot(hypervisor: Hypervisor): Promise<number> {
  const directory = await mkdtemp(join(tmpdir(), 'vw-ported-boot-'));
  const file = join(directory, 'kernel');
  await writeFile(file, buildHeartbeatGuest());
  const boot = { kind: 'kernel', file } as const;
  const spec: GuestSpec = {
    workspaceId: 'bench',
    epoch: 1,
    directory,
    memoryMiB: MEMORY_MIB,
    cpus: 1,
    boot,
    commandLine: 'bench',
  };
  try {
    const begun = systemClock.monotonic();
    await hypervisor.stage(spec);
    await hypervisor.start(spec);
    await untilFirstHeartbeat(hypervisor, directory);
    return systemClock.monotonic() - begun;
  } finally {
    await hypervisor.undeploy(spec);
    await rm(directory, { recursive: true, force: true });
  }
}

async function untilFirstHeartbeat(hypervisor: Hypervisor, directory: string): Promise<void> {
  const patience = AbortSignal.timeout(30_000);
  while (!(await readFile(hypervisor.serialFile(directory), 'utf8').catch(() => '')).includes(FIRST_HEARTBEAT)) {
    patience.throwIfAborted();
    await systemTimers.sleep(1);
  }
}
