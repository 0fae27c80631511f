/**
 * What travels between the ledger and its hosts. These types are the one source of the shapes: the JSON Schemas under `schemas/messages/` are generated
 * from them and guard both ends at run time. A message is a hint: a task can be made again from the log, evidence is repeated until acknowledged.
 */

/** @pattern ^[A-Za-z0-9_-]{1,64}$ */
export type Id = string;

/** @pattern ^sha256:[0-9a-f]{64}$ */
export type Digest = string;

/**
 * Milliseconds since the Unix epoch, UTC; the latest is the last that a Date can hold (ECMA-262, time values).
 * @asType integer
 * @minimum 0
 * @maximum 8640000000000000
 */
export type Instant = number;

/**
 * Whole as JSON numbers are read: up to 2^53 - 1.
 * @asType integer
 * @minimum 1
 * @maximum 9007199254740991
 */
export type Epoch = number;

/**
 * Whole as JSON numbers are read: up to 2^53 - 1.
 * @asType integer
 * @minimum 0
 * @maximum 9007199254740991
 */
export type Count = number;

/** @maxLength 4096 */
export type Text = string;

export interface WireImage {
  /** @maxLength 128 */
  name: string;
  digest: Digest;
  kind: 'kernel' | 'disk';
}

export interface WireHotImage {
  digest: Digest;
  sizeBytes: Count;
  /** @maxLength 64 */
  vmmType: string;
  /** @maxLength 64 */
  vmmVersion: string;
  /** @maxLength 128 */
  machine: string;
}

/** The virtual machine that a deployment prepares. */
export interface MachineSpec {
  /**
   * @asType integer
   * @minimum 1
   */
  memoryMiB: number;
  /**
   * @asType integer
   * @minimum 1
   */
  cpus: number;
  /** @maxLength 1024 */
  commandLine: string;
}

export type Work =
  | { kind: 'deploy'; image: WireImage; hotImage?: WireHotImage; machine: MachineSpec; addresses: string[] }
  | { kind: 'start'; from: 'image' }
  | { kind: 'start'; from: 'hot-image'; hotImage: WireHotImage }
  | { kind: 'pause' }
  | { kind: 'unpause' }
  | { kind: 'serialise' }
  | { kind: 'stop'; mode: 'graceful' | 'hard'; graceMs: Count }
  | { kind: 'undeploy'; captureHotImage: boolean }
  /** Answer with what is true now. */
  | { kind: 'observe' }
  /** Give up the named task if its effect can still be prevented; its own evidence says how it ended. */
  | { kind: 'cancel'; requestId: Id }
  /** The ledger knows a higher epoch: stop and remove whatever is here of this epoch or below. */
  | { kind: 'expel' };

export interface Task {
  /** The intent's request id; for observe, cancel and expel an id of their own. */
  taskId: Id;
  workspaceId: Id;
  hostId: Id;
  epoch: Epoch;
  issuedAt: Instant;
  deadline: Instant;
  work: Work;
}

/** What comes to a host on `vw.task.<hostId>`: work, or the acknowledgement of evidence. */
export type HostMessage = { type: 'task'; task: Task } | { type: 'acknowledged'; hostId: Id; bootId: Id; seq: Count };

export type FailureClass = 'host' | 'vmm' | 'guest' | 'image' | 'corrupt' | 'cancelled' | 'stale-epoch';

export type ObservedPower = 'running' | 'paused' | 'absent';

export type Observation =
  | { kind: 'deployed'; imageDigest: Digest }
  | { kind: 'started'; from: 'image' | 'hot-image'; vmm: { type: string; version: string; accelerator: string } }
  | { kind: 'paused' }
  | { kind: 'unpaused' }
  | { kind: 'stopped' }
  | { kind: 'serialised'; hotImage: WireHotImage }
  | { kind: 'undeployed'; imageDigest: Digest; hotImage?: WireHotImage }
  /** `guest` is what the VMM showed after the failure, never what was hoped. */
  | { kind: 'failed'; class: FailureClass; reason: Text; guest: ObservedPower }
  | { kind: 'observed'; guest: ObservedPower; cause: Text };

/** What an agent observed. (bootId, seq) names it: seq counts from 1 in each boot of the agent. */
export interface Evidence {
  hostId: Id;
  bootId: Id;
  seq: Count;
  workspaceId: Id;
  epoch: Epoch;
  /** The task it answers; absent for what nobody asked for. */
  requestId?: Id;
  observedAt: Instant;
  observation: Observation;
}

export interface VmmReport {
  /** @maxLength 64 */
  type: string;
  /** @maxLength 64 */
  version: string;
  /** @maxLength 64 */
  accelerator: string;
  /** @maxItems 16 */
  architectures: string[];
  /** @maxItems 16 */
  capabilities: string[];
}

export interface CapacityReport {
  cpus: Count;
  memoryMiB: Count;
  diskMiB: Count;
  /** @maxItems 16 */
  vmms: VmmReport[];
}

export interface Heartbeat {
  hostId: Id;
  bootId: Id;
  at: Instant;
  capacity: CapacityReport;
}

/** Asks a host for a piece of a guest's console (`vw.console.<hostId>`, request and reply). */
export interface ConsoleRequest {
  workspaceId: Id;
  /** First byte wanted, counted from the beginning of the deployment; beyond the end: nothing, yet. */
  from: Count;
}

export interface ConsoleReply {
  /** Base64 of at most 64 KiB. */
  bytes: string;
  /** Where to go on. */
  next: Count;
  /** False when the workspace is not on this host. */
  present: boolean;
}
