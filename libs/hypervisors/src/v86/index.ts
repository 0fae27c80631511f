/**
 * v86: an x86 PC in WebAssembly. Nothing to install, and it boots multiboot kernels without a BIOS; it has no disks here.
 *
 * A guest lives in a thread of the agent's process and dies with it. Its marker names the holder, so that a later agent can say so instead
 * of guessing, and does not call a guest dead that another living agent holds.
 */
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import type { HypervisorDeps } from '../deps.js';
import { GuestNotStarted, ObservationImpossible } from '../errors.js';
import { EnsuringHypervisor } from '../ensuring/hypervisor.js';
import type { GuestIdentity, Machine, MachineHandle, Vmm, VmmIdentity } from '../ensuring/vmm.js';
import { HEADER_BYTES, verifyHotImage, type MachineShape } from '../files/hot-image.js';
import { markersOnDisk } from '../files/marker.js';
import { isMultibootKernel } from '../files/multiboot.js';
import { CONSOLE_FILE } from '../files/names.js';
import { identifyProcess, isAlive } from '../files/process.js';
import type { GuestSpec, HotImageFile, Hypervisor } from '../port.js';
import type { Worker } from 'node:worker_threads';
import { newThread, V86Machine } from './machine.js';

const MACHINE = 'v86-pc';
const BYTES_PER_MIB = 1 << 20;

/** The adapters of this process that have not been closed: the only holders here whose guests may be alive. */
const openHolders = new Set<string>();

/** Compiling takes as long as booting: once for all machines of the process. */
let compiled: Promise<WebAssembly.Module> | undefined;

export function v86Hypervisor(deps: HypervisorDeps): Hypervisor {
  return new EnsuringHypervisor(new V86(deps), deps);
}

class V86 implements Vmm {
  readonly type = 'v86';
  readonly outlivesAgent = false;
  readonly markers = markersOnDisk('v86');
  readonly #holder: string;
  /** A thread that has loaded v86 already and waits for the next machine: loading takes longer than booting. */
  #spare: Worker | undefined;

  constructor(private readonly deps: HypervisorDeps) {
    this.#holder = deps.ids.next();
    openHolders.add(this.#holder);
  }

  release(): void {
    openHolders.delete(this.#holder);
    void this.#spare?.terminate();
  }

  async identify(): Promise<VmmIdentity> {
    return {
      version: packageVersion(),
      machine: MACHINE,
      architectures: ['x86'],
      capabilities: ['pause', 'hot-image', 'serial-console'],
      accelerators: ['wasm'],
    };
  }

  async newHandle(): Promise<MachineHandle> {
    const process_ = await identifyProcess(process.pid);
    return { holder: this.#holder, pid: process.pid, startTicks: process_?.startTicks ?? '' };
  }

  async powerOn(spec: GuestSpec, _handle: MachineHandle, _accelerator: string, from?: HotImageFile): Promise<Machine> {
    const shape = shapeOf(spec);
    const kernel = await readKernel(spec);
    let state: ArrayBuffer | null = null;
    if (from !== undefined) {
      await verifyHotImage(from, shape);
      state = toArrayBuffer((await readFile(from.file)).subarray(HEADER_BYTES));
    }
    const order = {
      wasm: await compile(),
      memoryBytes: spec.memoryMiB * BYTES_PER_MIB,
      kernel: toArrayBuffer(kernel),
      commandLine: spec.commandLine,
      state,
      consoleFile: join(spec.directory, CONSOLE_FILE),
    };
    const machine = await V86Machine.powerOn(this.#takeThread(), order, shape, this.deps.timers);
    this.#prepareSpare();
    return machine;
  }

  #takeThread(): Worker {
    const worker = this.#spare ?? newThread();
    this.#spare = undefined;
    worker.removeAllListeners('error').removeAllListeners('exit');
    worker.ref();
    return worker;
  }

  /** One is kept, and it keeps no process alive. One that dies is no loss: the next machine then loads for itself, and says what is wrong. */
  #prepareSpare(): void {
    if (this.#spare !== undefined || !openHolders.has(this.#holder)) return;
    const spare = newThread();
    this.#spare = spare;
    spare.unref();
    spare.on('error', () => undefined);
    spare.on('exit', () => {
      if (this.#spare === spare) this.#spare = undefined;
    });
  }

  /** Machines of this adapter are in its memory: one that has to be sought is another holder's, or was never begun. */
  async find(guest: GuestIdentity, handle: MachineHandle): Promise<{ readonly absent: string }> {
    const { holder, pid, startTicks } = handle as { holder: string; pid: number; startTicks: string };
    if (holder === this.#holder) return { absent: 'its machine was never begun' };
    const elsewhere = pid !== process.pid && startTicks !== '' && (await isAlive({ pid, startTicks }));
    if (elsewhere || openHolders.has(holder)) {
      throw new ObservationImpossible(
        `the guest of workspace ${guest.workspaceId} is held by another agent that is alive (process ${pid})`,
      );
    }
    return { absent: 'the agent process that held it ended' };
  }
}

function shapeOf({ memoryMiB, cpus }: GuestSpec): MachineShape {
  return { vmmType: 'v86', vmmVersion: packageVersion(), machine: MACHINE, memoryMiB, cpus };
}

async function readKernel(spec: GuestSpec): Promise<Uint8Array> {
  const { kind, file } = spec.boot;
  if (kind !== 'kernel') throw new GuestNotStarted('v86 boots kernels only; this workspace wants a disk', false);
  const kernel = await readFile(file).catch((cause: unknown) => {
    throw new GuestNotStarted(`the kernel ${file} cannot be read`, false, { cause });
  });
  if (!isMultibootKernel(kernel)) throw new GuestNotStarted(`${file} is not a multiboot kernel`, true);
  return kernel;
}

function compile(): Promise<WebAssembly.Module> {
  compiled ??= readFile(join(dirname(createRequire(import.meta.url).resolve('v86')), 'v86.wasm')).then((bytes) =>
    WebAssembly.compile(bytes),
  );
  return compiled;
}

function packageVersion(): string {
  const { version } = createRequire(import.meta.url)('v86/package.json') as { version: string };
  return version;
}

/** v86 takes whole ArrayBuffers; a Buffer may be a window into a shared one. */
function toArrayBuffer(bytes: Uint8Array): ArrayBuffer {
  return bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength) as ArrayBuffer;
}
