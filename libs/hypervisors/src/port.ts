/**
 * The VMM, as a host agent drives it (the paper's VW Manager drives Xen and VMware through theirs).
 *
 * What every adapter must keep (the suite in `test/contracts/hypervisors` holds each of them to it):
 *  1. Every verb *ensures* a state: it observes, acts, and observes again. "Already there" is success. A return code, an exit status or an
 *     event is no proof; only an observation is.
 *  2. A guest belongs to one (workspaceId, epoch). Verbs for another epoch than the guest's are refused with WrongEpoch.
 *  3. Nothing negative is reported before absence is confirmed: `stop` resolves when there is no guest left that could run,
 *     and a failed `start` throws GuestNotStarted only when it has confirmed that nothing runs or will run.
 *  4. Files under the workspace's directory (`GuestSpec.directory`) are all that an adapter keeps of a guest; after a crash of the agent,
 *     `adopt` finds in them what is still alive.
 *  5. Two calls for one workspace never overlap: the agent sees to it.
 */

export type VmmType = 'v86' | 'qemu' | 'simulated';

/** What a VMM can do; descriptions may ask for it. */
export type Capability = 'pause' | 'hot-image' | 'disk' | 'adopt' | 'serial-console';

export interface VmmProfile {
  readonly type: VmmType;
  /** The VMM's own version, as it says it. */
  readonly version: string;
  /** What executes guest instructions: 'wasm', 'tcg', 'kvm', 'none'. */
  readonly accelerator: string;
  /** As JSDL 1.0 names them: 'x86', 'x86_64', … */
  readonly architectures: readonly string[];
  readonly capabilities: readonly Capability[];
}

/** `usable: false` says in one sentence why not, for the operator. */
export type ProbeResult =
  | { readonly usable: true; readonly profile: VmmProfile; readonly detail: string }
  | { readonly usable: false; readonly detail: string };

/** What is to be run. All paths are absolute and on the host. */
export interface GuestSpec {
  readonly workspaceId: string;
  readonly epoch: number;
  /** The workspace's own folder on this host; the adapter may keep files in it whose names begin with `vmm-`. */
  readonly directory: string;
  readonly memoryMiB: number;
  readonly cpus: number;
  readonly boot: { readonly kind: 'kernel' | 'disk'; readonly file: string };
  /** The guest's kernel command line (multiboot); empty for disks. */
  readonly commandLine: string;
}

/** A paused guest's state in a file, and what it takes to continue it. */
export interface HotImageFile {
  readonly file: string;
  readonly vmmType: VmmType;
  readonly vmmVersion: string;
  /** The virtual machine model the state belongs to, as the VMM names it. */
  readonly machine: string;
}

/** What is true of a guest now. `absent` means: there is none, and none will appear by itself. */
export type GuestObservation =
  { readonly power: 'running' } | { readonly power: 'paused' } | { readonly power: 'absent'; readonly cause?: string };

/** Something that happened to a guest without being asked for. A hint: observe before believing. */
export interface GuestEvent {
  readonly workspaceId: string;
  readonly epoch: number;
  readonly kind: 'exited' | 'crashed' | 'vmm-died';
  readonly detail: string;
}

export interface Hypervisor {
  readonly type: VmmType;
  /** Boots the tiny guest to its first heartbeat, or says why that cannot be done here. Leaves nothing behind. */
  probe(signal?: AbortSignal): Promise<ProbeResult>;
  /**
   * Prepares the directory for this epoch: what an older epoch left is removed, its guest with it, for the newer grant has made both leftovers.
   * Again for the same epoch: nothing is touched. @throws WrongEpoch where a newer epoch was staged
   */
  stage(spec: GuestSpec): Promise<void>;
  /**
   * Ensures a running guest: booted from `spec.boot`, or continued from a hot image.
   * @throws GuestNotStarted (absence confirmed), IncompatibleHotImage, WrongEpoch
   */
  start(spec: GuestSpec, from?: HotImageFile): Promise<void>;
  /** Ensures that the guest is frozen in memory. @throws NoSuchGuest, WrongEpoch */
  pause(workspaceId: string, epoch: number): Promise<void>;
  /** Ensures that the guest runs on. @throws NoSuchGuest, WrongEpoch */
  unpause(workspaceId: string, epoch: number): Promise<void>;
  /** Writes a paused guest's full state to `file` (durable when it resolves); the guest stays paused in memory. @throws NoSuchGuest, WrongEpoch, NotPaused */
  serialise(workspaceId: string, epoch: number, file: string): Promise<HotImageFile>;
  /**
   * Ensures that there is no guest: asks it first where mode is 'graceful', for at most `graceMs`, then takes the power.
   * No guest at all is success.
   */
  stop(workspaceId: string, epoch: number, mode: 'graceful' | 'hard', graceMs: number): Promise<void>;
  /** Ensures absence and removes what the adapter keeps (`vmm-*`) in the directory. */
  undeploy(spec: Pick<GuestSpec, 'workspaceId' | 'epoch' | 'directory'>): Promise<void>;
  /**
   * What is true now. A workspace that was neither staged, started nor adopted through this instance is absent, so `adopt` comes before it.
   * Never guesses. @throws ObservationImpossible where the VMM cannot be asked, WrongEpoch where the guest is another epoch's
   */
  observe(workspaceId: string, epoch: number): Promise<GuestObservation>;
  /**
   * The first call after a restart of the agent: finds the guests that live on, by the workspaces' directories, and takes them under control again.
   * One entry for each workspace that was staged here, with the epoch that its guest has (not the spec's) and, where it is absent, the cause.
   * @throws ObservationImpossible where it cannot be known whether a guest lives
   */
  adopt(specs: readonly GuestSpec[]): Promise<readonly AdoptedGuest[]>;
  /** What happens to guests without being asked for, until the signal aborts. */
  events(signal: AbortSignal): AsyncIterable<GuestEvent>;
  /** The guest's console output so far as the host keeps it, as a file that grows: `serial.log` in the workspace's directory. */
  serialFile(directory: string): string;
  /** Lets go. Guests of a VMM with the capability 'adopt' live on; those inside this process (v86) end here, and the next observation says so. */
  close(): Promise<void>;
}

export interface AdoptedGuest {
  readonly workspaceId: string;
  readonly epoch: number;
  readonly observation: GuestObservation;
}
