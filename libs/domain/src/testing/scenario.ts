/**
 * The language of the specs: given(what happened).when(a command).accepted(events), .alreadyDone() or .refused(reason, asked, found);
 * given(what happened).hearing(evidence).records(events), .ignores(because) or .isStale(epoch). Values that a case does not name have
 * defaults: one workspace, Ann who owns it, Bob who does not, hosts one and two.
 */
import { expect } from 'vitest';
import type { Facts, RefusalReason } from '../decision.js';
import type { WorkspaceDescription } from '../description.js';
import type { CommandId, HostId, ImageDigest, WorkspaceId } from '../ids.js';
import type { EventMetadata, Recorded } from '../metadata.js';
import {
  type CommandOf,
  decideWorkspace,
  foldWorkspace,
  type HotImage,
  type ImageRef,
  interpretEvidence,
  type Observation,
  unborn,
  type WorkspaceCommand,
  type WorkspaceEvent,
  type WorkspaceEvidence,
  type WorkspaceState,
} from '../workspace/index.js';

export const ann = 'CN=ann';
export const bob = 'CN=bob';
export const w1 = 'w1' as WorkspaceId;
export const [h1, h2, h3] = ['h1', 'h2', 'h3'] as [HostId, HostId, HostId];

/** Every situation happened before noon; commands come at noon; leases and deadlines end later. */
export const morning = 1_000;
export const noon = 2_000;
export const evening = 3_000;
export const night = 4_000;

export const digestOf = (letter: string) => `sha256:${letter.repeat(64)}` as ImageDigest;
export const id = (text: string) => text as CommandId;

export const tiny: WorkspaceDescription = {
  category: 'virtual-machine',
  name: 'tiny',
  requirements: {},
  disks: [],
  network: { nics: [] },
};
export const kernel: ImageRef = { name: 'tiny', digest: digestOf('a'), kind: 'kernel' };
export const hot: HotImage = {
  digest: digestOf('f'),
  sizeBytes: 2_048,
  vmmType: 'simulated',
  vmmVersion: '1',
  machine: 'pc',
};
export const vmm = { type: 'simulated', version: '1', accelerator: 'none' };

export type CommandType = WorkspaceCommand['type'];
type EventType = WorkspaceEvent['type'];
type EventOf<Type extends EventType> = Extract<WorkspaceEvent, { type: Type }>;
type DataOf<Type extends EventType> = EventOf<Type>['data'];

const asked = { at: noon, by: ann };
const deadline = evening;
const leaseUntil = evening;

const commands: { [Type in CommandType]: Omit<CommandOf<Type>, 'type' | 'commandId' | 'at' | 'by'> } = {
  create: { workspaceId: w1, description: tiny, image: kernel },
  clone: { workspaceId: w1, source: unborn },
  refine: { description: { ...tiny, name: 'other' } },
  'set-lifetime': { expiresAt: night },
  expire: {},
  retire: { reason: 'done with' },
  'check-out': { leaseUntil },
  'check-in': {},
  renew: { leaseUntil: night },
  'steal-lock': { reason: 'gone home', leaseUntil },
  deploy: { hostId: h1, image: kernel, addresses: [], leaseUntil, deadline },
  undeploy: { deadline },
  start: { deadline },
  pause: { deadline },
  unpause: { deadline },
  serialise: { deadline },
  stop: { mode: 'graceful', graceMs: 500, deadline },
  cancel: { reason: 'too slow' },
  repair: { reason: 'looked at', discardHotImage: false },
  override: { reason: 'unplugged' },
  'mark-unknown': { reason: 'silence' },
};

export const commandTypes = Object.keys(commands) as CommandType[];

/** A command by Ann at noon. Its id is `now-{type}`. */
export function command<Type extends CommandType>(type: Type, over: Partial<CommandOf<Type>> = {}): CommandOf<Type> {
  return { type, commandId: id(`now-${type}`), ...asked, ...commands[type], ...over } as unknown as CommandOf<Type>;
}

const at1 = { hostId: h1, epoch: 1 };
const opened = (kind: string) => ({ requestId: id(kind), ...at1, deadline });
const ended = (kind: string) => ({ requestId: id(kind), ...at1 });
const failed = (kind: string, guest: DataOf<'PauseFailed'>['guest']) =>
  ({ ...ended(kind), class: 'host', reason: 'no room', guest }) as const;

const past: { [Type in EventType]: DataOf<Type> } = {
  WorkspaceCreated: { workspaceId: w1, owner: ann, description: tiny, image: kernel },
  WorkspaceRefined: {},
  LifetimeSet: { expiresAt: noon - 100 },
  WorkspaceExpired: { expiresAt: noon - 100 },
  WorkspaceRetired: { reason: 'done with' },
  WorkspaceCheckedOut: { holder: ann, epoch: 1, leaseUntil },
  LeaseRenewed: { holder: ann, epoch: 1, leaseUntil: night },
  LockStolen: { from: ann, holder: bob, epoch: 1, leaseUntil, reason: 'gone home' },
  WorkspaceCheckedIn: { holder: ann, epoch: 1, because: 'undeployed' },
  DeployRequested: { ...opened('deploy'), image: kernel, addresses: [] },
  WorkspaceDeployed: { ...ended('deploy'), imageDigest: kernel.digest },
  DeployFailed: failed('deploy', 'absent'),
  UndeployRequested: { ...opened('undeploy'), captureHotImage: false },
  WorkspaceUndeployed: { ...ended('undeploy'), imageDigest: digestOf('b') },
  UndeployFailed: failed('undeploy', 'absent'),
  StartRequested: { ...opened('start'), from: { kind: 'image', digest: kernel.digest } },
  WorkspaceStarted: { ...ended('start'), from: 'image', vmm },
  StartFailed: failed('start', 'absent'),
  PauseRequested: opened('pause'),
  WorkspacePaused: ended('pause'),
  PauseFailed: failed('pause', 'running'),
  UnpauseRequested: opened('unpause'),
  WorkspaceUnpaused: ended('unpause'),
  UnpauseFailed: failed('unpause', 'paused'),
  SerialiseRequested: opened('serialise'),
  HotImageCaptured: { ...ended('serialise'), hotImage: hot },
  SerialiseFailed: failed('serialise', 'paused'),
  StopRequested: { ...opened('stop'), mode: 'graceful', graceMs: 500 },
  WorkspaceStopped: ended('stop'),
  StopFailed: failed('stop', 'running'),
  CancelRequested: { requestId: id('deploy'), reason: 'too slow' },
  WorkspaceCorrupted: { attempted: 'start', evidence: 'no room', ...at1 },
  WorkspaceRepaired: { reason: 'looked at', discardedHotImage: false },
  DriftDetected: { ...at1, believed: 'running', observed: 'absent', cause: 'it died' },
  PlacementBecameUnknown: { ...at1, lastKnown: 'running', since: morning, reason: 'silence' },
  OperatorOverrode: { ...at1, asserted: 'guest-absent', reason: 'unplugged' },
};

export const eventTypes = Object.keys(past) as EventType[];

/** An event at epoch 1 on the first host. The intent that it opens or ends bears the intent's kind as its id. */
export function event<Type extends EventType>(type: Type, over: Partial<DataOf<Type>> = {}): WorkspaceEvent {
  return { type, data: { ...past[type], ...over } } as WorkspaceEvent;
}

export function recorded(events: readonly WorkspaceEvent[], metadata: Partial<EventMetadata> = {}) {
  return events.map((event, revision): Recorded<WorkspaceEvent> => ({
    event,
    metadata: {
      schemaVersion: 1,
      principal: { subject: ann, attributes: {}, method: 'ledger' },
      recordedAt: morning,
      correlationId: 'test',
      causationId: 'test',
      ...metadata,
    },
    revision,
    position: revision + 100,
  }));
}

export const stateAfter = (...events: readonly WorkspaceEvent[]): WorkspaceState => foldWorkspace(recorded(events));

/** The state that the same events make when each is recorded with a host's evidence of that boot and number. */
export const stateHeard = (bootId: string, seq: number, ...events: readonly WorkspaceEvent[]): WorkspaceState =>
  foldWorkspace(recorded(events, { evidence: { hostId: h1, bootId, seq, observedAt: morning } }));

export function given(...events: readonly WorkspaceEvent[]) {
  const state = stateAfter(...events);
  return {
    state,
    when: (command: WorkspaceCommand) => decisionOn(state, command),
    hearing: (observation: Observation, from: Partial<WorkspaceEvidence> = {}) =>
      meaningOf(state, { hostId: h1, epoch: 1, observation, ...from }),
  };
}

function decisionOn(state: WorkspaceState, command: WorkspaceCommand) {
  const decision = decideWorkspace(state, command);
  return {
    accepted(...events: readonly WorkspaceEvent[]) {
      expect(decision).toEqual({ kind: 'accepted', events });
    },
    alreadyDone() {
      expect(decision).toEqual({ kind: 'already-done' });
    },
    refused(reason: RefusalReason, asked: Facts, found: Facts) {
      expect(decision).toEqual({ kind: 'refused', refusal: { reason, asked, found } });
    },
  };
}

function meaningOf(state: WorkspaceState, evidence: WorkspaceEvidence) {
  const meaning = interpretEvidence(state, evidence);
  return {
    records(...events: readonly WorkspaceEvent[]) {
      expect(meaning).toEqual({ kind: 'events', events });
    },
    ignores(because: 'known-already' | 'late' | 'contradicts-intent') {
      expect(meaning).toEqual({ kind: 'ignored', because });
    },
    isStale(currentEpoch: number) {
      expect(meaning).toEqual({ kind: 'stale', currentEpoch });
    },
  };
}
