/**
 * QEMU: guests are processes of their own that live on when the agent does not. Linux, because they are found through `/proc`.
 *
 * A machine's handle is a UUID that its command line begins with. It is written to the marker before the process is begun, so a crash of the agent at
 * any moment leaves either no process or one that the next agent finds.
 */
import { execFile, spawn } from 'node:child_process';
import { constants } from 'node:fs';
import { access, open, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { HypervisorDeps } from '../deps.js';
import { GuestNotStarted, ObservationImpossible } from '../errors.js';
import { EnsuringHypervisor } from '../ensuring/hypervisor.js';
import type { GuestIdentity, Machine, MachineHandle, Vmm, VmmIdentity } from '../ensuring/vmm.js';
import { verifyHotImage, type MachineShape } from '../files/hot-image.js';
import { markersOnDisk } from '../files/marker.js';
import { findProcessByCommandLine, identifyProcess, type ProcessIdentity } from '../files/process.js';
import type { GuestSpec, HotImageFile, Hypervisor } from '../port.js';
import { commandLine, LOG_FILE, PROGRAM } from './command-line.js';
import { lastLines, QemuMachine } from './machine.js';
import { prepareSockets, removeSockets, socketsOf } from './sockets.js';

export function qemuHypervisor(deps: HypervisorDeps): Hypervisor {
  return new EnsuringHypervisor(new Qemu(deps), deps);
}

/** A machine that is sought was begun long ago; whether it answers shows at once. */
const ALREADY_LISTENING_MS = 1_000;

class Qemu implements Vmm {
  readonly type = 'qemu';
  readonly outlivesAgent = true;
  readonly markers = markersOnDisk('qemu');

  constructor(private readonly deps: HypervisorDeps) {}

  async identify(): Promise<VmmIdentity> {
    if (process.platform !== 'linux')
      throw new Error('the qemu adapter finds its guests through /proc, which only Linux has');
    const [version, machine, kvm] = await Promise.all([askVersion(), askMachine(), mayOpenKvm()]);
    return {
      version,
      machine,
      architectures: ['x86', 'x86_64'],
      capabilities: ['pause', 'hot-image', 'disk', 'adopt', 'serial-console'],
      accelerators: kvm ? ['kvm', 'tcg'] : ['tcg'],
    };
  }

  async newHandle(_spec: GuestSpec, { version, machine }: VmmIdentity): Promise<MachineHandle> {
    return { uuid: this.deps.ids.next(), version, machine };
  }

  async powerOn(spec: GuestSpec, handle: MachineHandle, accelerator: string, from?: HotImageFile): Promise<Machine> {
    const shape = shapeOf(spec, handle);
    if (from !== undefined) await verifyHotImage(from, shape);
    await access(spec.boot.file, constants.R_OK).catch((cause: unknown) => {
      throw new GuestNotStarted(`${spec.boot.file} cannot be read`, false, { cause });
    });

    const sockets = socketsOf(spec.directory);
    await prepareSockets(sockets);
    const launch = {
      spec,
      uuid: String(handle['uuid']),
      machine: shape.machine,
      accelerator,
      sockets,
      continued: from !== undefined,
    };
    const running = await begin(commandLine(launch), join(spec.directory, LOG_FILE));
    const { directory } = spec;
    let machine: QemuMachine | undefined;
    try {
      if (running === undefined) throw new Error('QEMU ended at once');
      machine = await QemuMachine.control({ process: running, directory, sockets, shape, ...this.deps });
      if (from === undefined) return machine;
      await machine.receiveState(from.file);
      await machine.unfreeze();
      return machine;
    } catch (cause) {
      // Whatever it was, a machine that did not come up as wanted is taken down; if even that is in doubt, so is everything.
      if (machine !== undefined) await machine.takePower();
      else await this.#confirmAbsence(launch.uuid);
      await removeSockets(sockets);
      const words = lastLines(await readFile(join(directory, LOG_FILE), 'utf8').catch(() => ''));
      // QEMU answered and then stumbled over the state, or never answered because of the kernel; else the fault is the host's.
      const stateIsBad = machine !== undefined || /kernel|multiboot/i.test(words);
      throw new GuestNotStarted(`QEMU did not bring the guest up: ${words || describe(cause)}`, stateIsBad, { cause });
    }
  }

  async find(guest: GuestIdentity, handle: MachineHandle): Promise<Machine | { readonly absent: string }> {
    const running = await findProcessByCommandLine(PROGRAM, '-uuid', String(handle['uuid']));
    if (running === undefined) {
      const words = lastLines(await readFile(join(guest.directory, LOG_FILE), 'utf8').catch(() => ''));
      return { absent: ['QEMU is gone', words].filter(Boolean).join(': ') };
    }
    const { directory } = guest;
    const shape = shapeOf(guest, handle);
    const parts = { process: running, directory, sockets: socketsOf(directory), shape, ...this.deps };
    // One that does not answer is there all the same: it is observed in vain, and can be ended.
    const machine = await QemuMachine.control(parts, ALREADY_LISTENING_MS).catch(() => undefined);
    if (machine === undefined) return QemuMachine.of(parts);
    if (!(await machine.awaitsState())) return machine;
    // Whoever was giving it a state is gone; without one it can do nothing, and it has run nothing yet.
    await machine.takePower();
    return { absent: 'QEMU was still waiting for the state to continue from' };
  }

  release(): void {
    // Its machines live on by themselves; there is nothing else to give back.
  }

  async #confirmAbsence(uuid: string): Promise<void> {
    const running = await findProcessByCommandLine(PROGRAM, '-uuid', uuid);
    if (running !== undefined)
      throw new ObservationImpossible(`QEMU (process ${running.pid}) was begun and does not answer`);
  }
}

/** Begins QEMU in a session of its own, its words going to a file: nothing of it hangs on this process. */
async function begin(args: readonly string[], log: string): Promise<ProcessIdentity | undefined> {
  const output = await open(log, 'a', 0o600);
  try {
    const child = spawn(PROGRAM, args, { detached: true, stdio: ['ignore', output.fd, output.fd] });
    child.on('error', () => undefined); // told by the missing number
    child.unref();
    return child.pid === undefined ? undefined : await identifyProcess(child.pid);
  } finally {
    await output.close();
  }
}

/** The shape that the machine was begun with: an adopted one may be older than the QEMU that is installed now. */
function shapeOf({ memoryMiB, cpus }: Pick<GuestIdentity, 'memoryMiB' | 'cpus'>, handle: MachineHandle): MachineShape {
  return {
    vmmType: 'qemu',
    vmmVersion: String(handle['version']),
    machine: String(handle['machine']),
    memoryMiB,
    cpus,
  };
}

async function askVersion(): Promise<string> {
  const text = await ask('--version');
  return /version (\d+(?:\.\d+)+)/.exec(text)?.[1] ?? text.trim();
}

/** The versioned model behind the name `pc`: only that one means the same machine to another QEMU. */
async function askMachine(): Promise<string> {
  return /\(alias of (pc-i440fx-[\d.]+)\)/.exec(await ask('-machine', 'help'))?.[1] ?? 'pc';
}

async function ask(...args: readonly string[]): Promise<string> {
  try {
    return (await promisify(execFile)(PROGRAM, args)).stdout;
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') throw new Error(`${PROGRAM} is not installed`, { cause });
    throw new Error(`${PROGRAM} ${args.join(' ')} failed: ${describe(cause)}`, { cause });
  }
}

async function mayOpenKvm(): Promise<boolean> {
  return access('/dev/kvm', constants.R_OK | constants.W_OK).then(
    () => true,
    () => false,
  );
}

function describe(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
