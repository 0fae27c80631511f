/**
 * A VMM without a machine: a guest is a file that says since when it runs, and its heartbeats are computed from that. For tests and
 * simulation, where a guest must live by the clock it is given.
 *
 * What must stay true: the same clock, timers and ids give the same files byte for byte. So files are written synchronously here, and
 * nothing waits but for the timers it was given. A guest's file lies in its workspace's directory, so it outlives the agent as QEMU's do.
 */
import { appendFileSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { sha256Hex } from '@vw/runtime';
import type { HypervisorDeps } from '../deps.js';
import { GuestNotStarted } from '../errors.js';
import { EnsuringHypervisor } from '../ensuring/hypervisor.js';
import type { Ending, GuestIdentity, Machine, MachineHandle, MarkerStore, Vmm, VmmIdentity } from '../ensuring/vmm.js';
import {
  damaged,
  HEADER_BYTES,
  headerPage,
  readHeaderPage,
  refuseOtherMachine,
  type MachineShape,
} from '../files/hot-image.js';
import { isKept, isStrangersMarker, markerFile, parseMarker, refuseLiveStranger } from '../files/marker.js';
import { isMultibootKernel } from '../files/multiboot.js';
import { CONSOLE_FILE, KEPT_PREFIX } from '../files/names.js';
import type { GuestObservation, GuestSpec, HotImageFile, Hypervisor } from '../port.js';

const VERSION = '1';
const MACHINE = 'clockwork';
const MACHINE_FILE = `${KEPT_PREFIX}simulated-machine.json`;
const HEARTBEAT_MS = 100;

export function simulatedHypervisor(deps: HypervisorDeps): Hypervisor {
  return new EnsuringHypervisor(new Simulated(deps), deps);
}

/** A machine's whole state. It is what its file holds while it lives, and what its hot image holds. */
interface Clockwork {
  readonly uuid: string;
  /** After this many heartbeats it ends by itself; 0 is never. */
  readonly lastBeat: number;
  readonly power: 'running' | 'paused';
  /** What it had run when it was last looked at, and when that was; paused, time does not count. */
  readonly ranMs: number;
  readonly lookedAt: number;
  readonly beats: number;
}

class Simulated implements Vmm {
  readonly type = 'simulated';
  readonly outlivesAgent = true;
  readonly markers = synchronousMarkers;

  constructor(private readonly deps: HypervisorDeps) {}

  async identify(): Promise<VmmIdentity> {
    return {
      version: VERSION,
      machine: MACHINE,
      architectures: ['x86'],
      capabilities: ['pause', 'hot-image', 'adopt', 'serial-console'],
      accelerators: ['none'],
    };
  }

  async newHandle(): Promise<MachineHandle> {
    return { uuid: this.deps.ids.next() };
  }

  async powerOn(spec: GuestSpec, handle: MachineHandle, _accelerator: string, from?: HotImageFile): Promise<Machine> {
    const shape = shapeOf(spec);
    const continued = from === undefined ? undefined : readState(from.file, shape);
    if (!isMultibootKernel(readKernel(spec.boot.file)))
      throw new GuestNotStarted(`${spec.boot.file} is not a multiboot kernel`, true);
    const lastBeat = Number(/beats=(\d+)/.exec(spec.commandLine)?.[1] ?? 0);
    const fresh = { lastBeat, ranMs: 0, beats: 0 };
    const begun = { uuid: String(handle['uuid']), power: 'running', lookedAt: this.deps.clock.now() } as const;
    const machine = new SimulatedMachine(spec.directory, shape, { ...(continued ?? fresh), ...begun }, this.deps);
    if (continued === undefined) machine.print(`MB ${spec.commandLine}`);
    return machine;
  }

  async find(guest: GuestIdentity, handle: MachineHandle): Promise<Machine | { readonly absent: string }> {
    const state = readIfThere(join(guest.directory, MACHINE_FILE));
    const clockwork = state === undefined ? undefined : (JSON.parse(state) as Clockwork);
    if (clockwork === undefined || clockwork.uuid !== handle['uuid'])
      return { absent: 'the simulated machine is gone' };
    return new SimulatedMachine(guest.directory, shapeOf(guest), clockwork, this.deps);
  }

  release(): void {
    // Its machines are files, and stay.
  }
}

class SimulatedMachine implements Machine {
  readonly ended: Promise<Ending>;
  #end!: (ending: Ending) => void;
  /** Null when the machine is gone. */
  #state: Clockwork | null;
  #absence = 'its power was taken';
  #nap = new AbortController();

  constructor(
    private readonly directory: string,
    private readonly shape: MachineShape,
    state: Clockwork,
    private readonly deps: HypervisorDeps,
  ) {
    this.#state = state;
    this.ended = new Promise((resolve) => (this.#end = resolve));
    this.#keep(state);
    void this.#beat();
  }

  async observe(): Promise<GuestObservation> {
    this.#catchUp();
    return this.#state === null ? { power: 'absent', cause: this.#absence } : { power: this.#state.power };
  }

  async freeze(): Promise<void> {
    this.#turn('paused');
  }

  async unfreeze(): Promise<void> {
    this.#turn('running');
  }

  async save(file: string): Promise<void> {
    const state = Buffer.from(JSON.stringify(this.#state));
    const header = headerPage({ ...this.shape, stateBytes: state.length, stateSha256: sha256Hex(state) });
    writeFileSync(`${file}.unfinished`, Buffer.concat([header, state]), { flush: true });
    renameSync(`${file}.unfinished`, file);
  }

  async askToShutDown(): Promise<void> {
    this.#catchUp();
    if (this.#state !== null) this.#shutDown();
  }

  async takePower(): Promise<void> {
    this.#catchUp();
    this.#finish({ kind: 'vmm-died', detail: 'its power was taken' });
  }

  async letGo(): Promise<void> {
    this.#nap.abort();
    this.#state = null;
  }

  print(line: string): void {
    appendFileSync(join(this.directory, CONSOLE_FILE), `${line}\n`);
  }

  /** Wakes for every heartbeat while the machine runs. A nap broken off means that its state changed: a new one begins, or none. */
  async #beat(): Promise<void> {
    while (this.#state?.power === 'running') {
      const { ranMs, lookedAt } = this.#state;
      const nextMs = HEARTBEAT_MS - ((ranMs + this.deps.clock.now() - lookedAt) % HEARTBEAT_MS);
      const nap = this.#nap;
      await this.deps.timers.sleep(nextMs, nap.signal);
      if (nap.signal.aborted) return;
      this.#catchUp();
    }
  }

  /** Prints the heartbeats that are due by the clock. */
  #catchUp(): void {
    const state = this.#state;
    if (state?.power !== 'running') return;
    const now = this.deps.clock.now();
    const ranMs = state.ranMs + Math.max(0, now - state.lookedAt);
    const due = Math.floor(ranMs / HEARTBEAT_MS);
    const beats = state.lastBeat > 0 ? Math.min(due, state.lastBeat) : due;
    for (let beat = state.beats + 1; beat <= beats; beat += 1) this.print(`HB ${beat}`);
    this.#keep({ ...state, ranMs, lookedAt: now, beats: Math.max(beats, state.beats) });
    if (state.lastBeat > 0 && beats >= state.lastBeat) this.#shutDown();
  }

  #turn(power: Clockwork['power']): void {
    this.#catchUp();
    if (this.#state === null || this.#state.power === power) return;
    this.#nap.abort();
    this.#nap = new AbortController();
    this.#keep({ ...this.#state, power, lookedAt: this.deps.clock.now() });
    void this.#beat();
  }

  #shutDown(): void {
    this.print('BYE');
    this.#finish({ kind: 'exited', detail: 'the guest shut itself down' });
  }

  #finish(ending: Ending): void {
    if (this.#state === null) return;
    this.#nap.abort();
    this.#state = null;
    this.#absence = ending.detail;
    rmSync(join(this.directory, MACHINE_FILE), { force: true });
    this.#end(ending);
  }

  #keep(state: Clockwork): void {
    this.#state = state;
    writeFileSync(join(this.directory, MACHINE_FILE), JSON.stringify(state));
  }
}

const synchronousMarkers: MarkerStore = {
  async read(directory) {
    const file = markerFile(directory, 'simulated');
    const text = readIfThere(file);
    return text === undefined ? undefined : parseMarker(file, text);
  },
  async write(directory, marker) {
    const file = markerFile(directory, 'simulated');
    mkdirSync(directory, { recursive: true });
    writeFileSync(`${file}.unfinished`, `${JSON.stringify(marker, null, 2)}\n`, { flush: true });
    renameSync(`${file}.unfinished`, file);
  },
  async sweep(directory, console) {
    const names = namesIn(directory);
    for (const name of names) {
      const file = join(directory, name);
      if (isStrangersMarker(name, 'simulated')) refuseLiveStranger(file, parseMarker(file, readFileSync(file, 'utf8')));
    }
    for (const name of names) {
      if (isKept(name) || (console && name === CONSOLE_FILE))
        rmSync(join(directory, name), { recursive: true, force: true });
    }
  },
};

function shapeOf({ memoryMiB, cpus }: Pick<GuestIdentity, 'memoryMiB' | 'cpus'>): MachineShape {
  return { vmmType: 'simulated', vmmVersion: VERSION, machine: MACHINE, memoryMiB, cpus };
}

function readState(file: string, shape: MachineShape): Clockwork {
  const bytes = readBytes(file, 'hot image');
  if (bytes.length < HEADER_BYTES) throw damaged(file, 'it is shorter than its header');
  const header = readHeaderPage(file, bytes.subarray(0, HEADER_BYTES));
  const state = bytes.subarray(HEADER_BYTES);
  if (state.length !== header.stateBytes || sha256Hex(state) !== header.stateSha256) {
    throw damaged(file, 'its state is not the one that was written');
  }
  refuseOtherMachine(file, header, shape);
  return JSON.parse(state.toString()) as Clockwork;
}

function readKernel(file: string): Buffer {
  return readBytes(file, 'kernel');
}

function readBytes(file: string, what: string): Buffer {
  try {
    return readFileSync(file);
  } catch (cause) {
    throw new GuestNotStarted(`the ${what} ${file} cannot be read`, false, { cause });
  }
}

function readIfThere(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

function namesIn(directory: string): string[] {
  try {
    return readdirSync(directory).sort();
  } catch {
    return []; // not made yet
  }
}
