/**
 * What an adapter supplies: one VMM's own acts, without judgement. The rules of the port (epochs, "already there", absence before a
 * negative answer, the marker on disk) are kept once, in `hypervisor.ts`.
 */
import type { Capability, GuestObservation, GuestSpec, HotImageFile, VmmType } from '../port.js';

/** What is installed, as it says it of itself. */
export interface VmmIdentity {
  readonly version: string;
  /** The machine model of its guests; a hot image goes back only into the same one. */
  readonly machine: string;
  readonly architectures: readonly string[];
  readonly capabilities: readonly Capability[];
  /** What may execute guest instructions, the fastest first, the one that always works last. */
  readonly accelerators: readonly [string, ...string[]];
}

/** How a machine came to its end without being told to. */
export interface Ending {
  readonly kind: 'exited' | 'crashed' | 'vmm-died';
  readonly detail: string;
}

/** Whatever an adapter needs to find a machine again: written to the marker before the machine exists. */
export type MachineHandle = Readonly<Record<string, string | number>>;

/** One guest's machine, at power. */
export interface Machine {
  /** What is true now. @throws ObservationImpossible */
  observe(): Promise<GuestObservation>;
  freeze(): Promise<void>;
  unfreeze(): Promise<void>;
  /** Writes the frozen machine's state to `file` as a sealed hot image, durable when it resolves. */
  save(file: string): Promise<void>;
  /** Asks the guest to shut itself down. Resolves when it was asked, not when it obeyed. */
  askToShutDown(): Promise<void>;
  /** Takes the power. Resolves only when nothing is left that could run. @throws ObservationImpossible where that cannot be known */
  takePower(): Promise<void>;
  /** Resolves when the machine is gone, and says how; for one that lost its power by `takePower`, too. */
  readonly ended: Promise<Ending>;
  /** Gives up control without touching a machine that can live alone; one that cannot ends here. */
  letGo(): Promise<void>;
}

export interface Vmm {
  readonly type: VmmType;
  /** Whether a guest may be alive although the agent that started it is not. */
  readonly outlivesAgent: boolean;
  /** Where guests' markers are kept. */
  readonly markers: MarkerStore;
  /** Asks the VMM what it is; boots nothing. @throws Error with one sentence for the operator where it is not there */
  identify(): Promise<VmmIdentity>;
  newHandle(spec: GuestSpec, identity: VmmIdentity): Promise<MachineHandle>;
  /**
   * Brings a machine to power: booted, or continued from a hot image that it has verified before the VMM sees it.
   * @throws GuestNotStarted, IncompatibleHotImage: nothing runs and nothing will. Any other error leaves that open.
   */
  powerOn(spec: GuestSpec, handle: MachineHandle, accelerator: string, from?: HotImageFile): Promise<Machine>;
  /** The machine that a handle speaks of, or the cause of its absence. @throws ObservationImpossible */
  find(guest: GuestIdentity, handle: MachineHandle): Promise<Machine | { readonly absent: string }>;
  /** The adapter is closed, its machines already let go. */
  release(): void;
}

/** What a guest's machine must be known by, apart from its VMM. */
export type GuestIdentity = Pick<GuestSpec, 'workspaceId' | 'epoch' | 'directory' | 'memoryMiB' | 'cpus'>;

/** What is written of a guest in its directory, for the agent that comes after a crash of this one. */
export interface Marker extends Omit<GuestIdentity, 'directory'> {
  readonly format: 1;
  /** The machine that was brought to power, or is about to be; null where there is none. */
  readonly handle: MachineHandle | null;
  /** Whether that machine may be alive although the agent that started it is not. */
  readonly outlivesAgent: boolean;
  /** Why there is none, where that is worth saying. */
  readonly cause: string | null;
}

export interface MarkerStore {
  /** @throws ObservationImpossible for a marker that cannot be read or understood: something may run there. */
  read(directory: string): Promise<Marker | undefined>;
  /** Durable when it resolves. */
  write(directory: string, marker: Marker): Promise<void>;
  /**
   * Removes all that an adapter keeps in the directory, and the console's file with it where `console` is true.
   * @throws ObservationImpossible where another VMM's marker speaks of a machine that may be alive
   */
  sweep(directory: string, console: boolean): Promise<void>;
}
