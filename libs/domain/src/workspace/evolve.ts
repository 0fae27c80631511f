/**
 * The fold of a workspace's stream: what is true after each event. Total: every event has its case, and none can fail, because the
 * past has happened. Every outcome closes the intent; nothing else does, except an operator's override.
 */
import { unreachable } from '../decision.js';
import type { EventMetadata, Recorded } from '../metadata.js';
import type { HotImage, IntentFields, ObservedPower, WorkspaceEvent } from './events.js';
import { type Integrity, type Intent, type IntentKind, type Power, unborn, type WorkspaceState } from './state.js';

const noIntent: Intent = { kind: 'none' };
const shutdown: Power = { kind: 'shutdown' };

export function evolve(state: WorkspaceState, recorded: Recorded<WorkspaceEvent>): WorkspaceState {
  const { revision, position } = recorded;
  return { ...state, ...change(state, recorded), heard: newest(state, recorded.metadata), revision, position };
}

export function foldWorkspace(recorded: Iterable<Recorded<WorkspaceEvent>>): WorkspaceState {
  let state = unborn;
  for (const each of recorded) state = evolve(state, each);
  return state;
}

function change(state: WorkspaceState, recorded: Recorded<WorkspaceEvent>): Partial<WorkspaceState> {
  const { event, metadata, revision } = recorded;
  const opened = (kind: IntentKind, fields: IntentFields): Intent => ({
    kind,
    requestId: fields.requestId,
    hostId: fields.hostId,
    epoch: fields.epoch,
    since: metadata.recordedAt,
    deadline: fields.deadline,
    cancelRequested: false,
    revision,
  });
  switch (event.type) {
    case 'WorkspaceCreated': {
      const { workspaceId, owner, description, image, clonedFrom, expiresAt } = event.data;
      const createdAt = metadata.recordedAt;
      return { definition: 'active', workspaceId, owner, description, image, clonedFrom, createdAt, expiresAt };
    }
    case 'WorkspaceRefined':
      return {
        description: event.data.description ?? state.description,
        image: event.data.image ?? state.image,
      };
    case 'LifetimeSet':
      return { expiresAt: event.data.expiresAt ?? undefined, expired: false };
    case 'WorkspaceExpired':
      return { expired: true };
    case 'WorkspaceRetired':
      return { definition: 'retired' };

    case 'WorkspaceCheckedOut':
      return { lock: { kind: 'held', ...event.data, spent: false } };
    case 'LeaseRenewed':
      return state.lock.kind === 'held' ? { lock: { ...state.lock, leaseUntil: event.data.leaseUntil } } : {};
    case 'LockStolen': {
      const { holder, epoch, leaseUntil } = event.data;
      const spent = state.lock.kind === 'held' && state.lock.epoch === epoch && state.lock.spent;
      return { lock: { kind: 'held', holder, epoch, leaseUntil, spent } };
    }
    case 'WorkspaceCheckedIn':
      return { lock: { kind: 'free', lastEpoch: event.data.epoch } };

    case 'DeployRequested':
      return {
        image: event.data.image,
        placement: { kind: 'staging', hostId: event.data.hostId, epoch: event.data.epoch },
        lock: state.lock.kind === 'held' ? { ...state.lock, spent: true } : state.lock,
        intent: opened('deploy', event.data),
      };
    case 'WorkspaceDeployed':
      return {
        placement: { kind: 'staged', hostId: event.data.hostId, epoch: event.data.epoch },
        power: believedAtRest(state.power),
        intent: noIntent,
      };
    case 'DeployFailed':
      return { placement: { kind: 'none' }, power: believedAtRest(state.power), intent: noIntent };
    case 'UndeployRequested':
      return {
        placement: { kind: 'unstaging', hostId: event.data.hostId, epoch: event.data.epoch },
        intent: opened('undeploy', event.data),
      };
    case 'WorkspaceUndeployed': {
      const { imageDigest, hotImage } = event.data;
      return {
        image: state.image && { ...state.image, digest: imageDigest },
        placement: { kind: 'none' },
        power: hotImage ? { kind: 'serialised', hotImage, guest: 'none' } : believedAtRest(state.power),
        integrity: hotImage
          ? state.integrity
          : afterLoss(state, 'absent', 'the guest was gone before its state was captured'),
        intent: noIntent,
      };
    }
    case 'UndeployFailed':
      return {
        placement: { kind: 'staged', hostId: event.data.hostId, epoch: event.data.epoch },
        power: seen(state.power, event.data.guest),
        integrity: afterLoss(state, event.data.guest, event.data.reason),
        intent: noIntent,
      };

    case 'StartRequested':
      return { intent: opened('start', event.data) };
    case 'WorkspaceStarted':
      return {
        power: { kind: 'running' },
        integrity: state.integrity.kind === 'suspect' ? { kind: 'ok' } : state.integrity,
        intent: noIntent,
      };
    case 'PauseRequested':
      return { intent: opened('pause', event.data) };
    case 'WorkspacePaused':
      return { power: { kind: 'paused' }, intent: noIntent };
    case 'UnpauseRequested':
      return { intent: opened('unpause', event.data) };
    case 'WorkspaceUnpaused':
      return { power: { kind: 'running' }, intent: noIntent };
    case 'SerialiseRequested':
      return { intent: opened('serialise', event.data) };
    case 'HotImageCaptured':
      return { power: { kind: 'serialised', hotImage: event.data.hotImage, guest: 'in-memory' }, intent: noIntent };
    case 'StopRequested':
      return { intent: opened('stop', event.data) };
    case 'WorkspaceStopped':
      return { power: believedAtRest(state.power), intent: noIntent };
    case 'PauseFailed':
    case 'UnpauseFailed':
    case 'SerialiseFailed':
      return {
        power: seen(state.power, event.data.guest),
        integrity: afterLoss(state, event.data.guest, event.data.reason),
        intent: noIntent,
      };
    case 'StartFailed':
    case 'StopFailed':
      return { power: seen(state.power, event.data.guest), intent: noIntent };

    case 'CancelRequested':
      return state.intent.kind === 'none' ? {} : { intent: { ...state.intent, cancelRequested: true } };
    case 'WorkspaceCorrupted':
      return {
        integrity: { kind: 'corrupted', attempted: event.data.attempted, evidence: event.data.evidence },
      };
    case 'WorkspaceRepaired':
      return {
        integrity: { kind: 'ok' },
        image: event.data.image ?? state.image,
        power: event.data.discardedHotImage ? withoutHotImage(state.power) : state.power,
      };
    case 'DriftDetected': {
      const { observed, cause } = event.data;
      return { power: seen(state.power, observed), integrity: afterLoss(state, observed, cause) };
    }
    case 'PlacementBecameUnknown': {
      const { lastKnown, since } = event.data;
      return { power: { kind: 'unknown', lastKnown, since, hotImage: hotImageOf(state.power) } };
    }
    case 'OperatorOverrode': {
      const closes = state.intent.kind !== 'none' && state.intent.requestId === event.data.closedRequestId;
      return {
        placement: { kind: 'none' },
        lock: { kind: 'free', lastEpoch: event.data.epoch },
        power: believedAtRest(state.power),
        intent: closes ? noIntent : state.intent,
      };
    }
    default:
      return unreachable(event);
  }
}

/** An outcome may be recorded after an observation that followed it: numbers of one boot never fall. */
function newest({ heard }: WorkspaceState, { evidence }: EventMetadata): WorkspaceState['heard'] {
  if (evidence === undefined) return heard;
  const { hostId, bootId, seq } = evidence;
  const sameBoot = heard?.hostId === hostId && heard.bootId === bootId;
  return { hostId, bootId, seq: sameBoot ? Math.max(heard.seq, seq) : seq };
}

/** The hot image that a later start would continue from, if there is one. */
export function hotImageOf(power: Power): HotImage | undefined {
  return power.kind === 'serialised' || power.kind === 'unknown' ? power.hotImage : undefined;
}

/** No guest is left: what remains is the hot image, or nothing. */
function believedAtRest(power: Power): Power {
  const hotImage = hotImageOf(power);
  return hotImage === undefined ? shutdown : { kind: 'serialised', hotImage, guest: 'none' };
}

/** The guest as the host last saw it. A hot image outlives its guest; it is void once the guest runs on. */
function seen(power: Power, observed: ObservedPower): Power {
  const hotImage = hotImageOf(power);
  switch (observed) {
    case 'absent':
      return believedAtRest(power);
    case 'paused':
      return hotImage === undefined ? { kind: 'paused' } : { kind: 'serialised', hotImage, guest: 'in-memory' };
    case 'running':
      return { kind: 'running' };
    default:
      return unreachable(observed);
  }
}

/**
 * A guest that vanished unasked leaves its workspace suspect. One that was at rest cannot vanish; one whose full state is in a hot image loses nothing,
 * unless it may have run on meanwhile; one that was being stopped was asked to go.
 */
function afterLoss({ power, intent, integrity }: WorkspaceState, observed: ObservedPower, cause: string): Integrity {
  if (observed !== 'absent' || integrity.kind !== 'ok' || intent.kind === 'stop') return integrity;
  const believed = power.kind === 'unknown' ? power.lastKnown : power.kind;
  const mayHaveRun = intent.kind === 'start' || intent.kind === 'unpause';
  return believed === 'running' || believed === 'paused' || mayHaveRun ? { kind: 'suspect', cause } : integrity;
}

function withoutHotImage(power: Power): Power {
  switch (power.kind) {
    case 'serialised':
      return power.guest === 'in-memory' ? { kind: 'paused' } : shutdown;
    case 'unknown':
      return { kind: 'unknown', lastKnown: power.lastKnown, since: power.since };
    default:
      return power;
  }
}
