/**
 * What host evidence makes of a workspace (PROTOCOL.md, "From intent to outcome", steps 5-7). An outcome is recorded exactly once: evidence that
 * is late, repeated, of another epoch, or that says what is known already, changes nothing, and says why so that it can be counted.
 */
import { unreachable } from '../decision.js';
import type { CommandId, Epoch, HostId, ImageDigest } from '../ids.js';
import type { FailureClass, HotImage, ObservedPower, OutcomeFields, WorkspaceEvent } from './events.js';
import type { Intent, Power, WorkspaceState } from './state.js';

/** What a host saw. `failed` answers an intent; `observed` was not asked for, or was asked for by an observe task. */
export type Observation =
  | { readonly kind: 'deployed'; readonly imageDigest: ImageDigest }
  | {
      readonly kind: 'started';
      readonly from: 'image' | 'hot-image';
      readonly vmm: { readonly type: string; readonly version: string; readonly accelerator: string };
    }
  | { readonly kind: 'paused' | 'unpaused' | 'stopped' }
  | { readonly kind: 'serialised'; readonly hotImage: HotImage }
  | { readonly kind: 'undeployed'; readonly imageDigest: ImageDigest; readonly hotImage?: HotImage }
  | {
      readonly kind: 'failed';
      readonly class: FailureClass;
      readonly reason: string;
      readonly guest: ObservedPower;
    }
  | { readonly kind: 'observed'; readonly guest: ObservedPower; readonly cause: string };

export interface WorkspaceEvidence {
  readonly hostId: HostId;
  readonly epoch: Epoch;
  /** The intent it answers; absent for what was not asked for. */
  readonly requestId?: CommandId;
  /** The agent's boot, and the evidence's number in it, from 1: they tell an old observation that comes again from a new one. */
  readonly bootId?: string;
  readonly seq?: number;
  readonly observation: Observation;
}

export type Interpretation =
  | { readonly kind: 'events'; readonly events: readonly WorkspaceEvent[] }
  | { readonly kind: 'ignored'; readonly because: 'known-already' | 'late' | 'contradicts-intent' }
  /** The host speaks of an epoch that is not its own any more: it must let go of what it has. */
  | { readonly kind: 'stale'; readonly currentEpoch: number };

const ignored = (because: 'known-already' | 'late' | 'contradicts-intent'): Interpretation => ({
  kind: 'ignored',
  because,
});
const events = (...list: readonly WorkspaceEvent[]): Interpretation => ({ kind: 'events', events: list });

export function interpretEvidence(state: WorkspaceState, evidence: WorkspaceEvidence): Interpretation {
  const { placement, lock, intent } = state;
  const theirs =
    placement.kind !== 'none' && placement.hostId === evidence.hostId && placement.epoch === evidence.epoch;
  if (!theirs) return { kind: 'stale', currentEpoch: lock.kind === 'held' ? lock.epoch : lock.lastEpoch };
  if (evidence.observation.kind === 'observed') return drift(state, evidence, evidence.observation);
  if (intent.kind === 'none' || intent.requestId !== evidence.requestId) return ignored('late');
  return outcome(state, intent, evidence.observation);
}

function outcome(
  state: WorkspaceState,
  intent: Exclude<Intent, { kind: 'none' }>,
  seen: Exclude<Observation, { kind: 'observed' }>,
): Interpretation {
  const fields: OutcomeFields = { requestId: intent.requestId, hostId: intent.hostId, epoch: intent.epoch };
  if (seen.kind === 'failed') return failure(state, intent, fields, seen);
  switch (intent.kind) {
    case 'deploy':
      // A host that was given other bytes than the ones authorised has not done what was asked (invariant I10).
      if (seen.kind !== 'deployed' || seen.imageDigest !== state.image?.digest) return ignored('contradicts-intent');
      return events({ type: 'WorkspaceDeployed', data: { ...fields, imageDigest: seen.imageDigest } });
    case 'start':
      if (seen.kind !== 'started') return ignored('contradicts-intent');
      return events({ type: 'WorkspaceStarted', data: { ...fields, from: seen.from, vmm: { ...seen.vmm } } });
    case 'pause':
      if (seen.kind !== 'paused') return ignored('contradicts-intent');
      return events({ type: 'WorkspacePaused', data: fields });
    case 'unpause':
      if (seen.kind !== 'unpaused') return ignored('contradicts-intent');
      return events({ type: 'WorkspaceUnpaused', data: fields });
    case 'serialise':
      if (seen.kind !== 'serialised') return ignored('contradicts-intent');
      return events({ type: 'HotImageCaptured', data: { ...fields, hotImage: seen.hotImage } });
    case 'stop':
      if (seen.kind !== 'stopped') return ignored('contradicts-intent');
      return events({ type: 'WorkspaceStopped', data: fields });
    case 'undeploy': {
      if (seen.kind !== 'undeployed') return ignored('contradicts-intent');
      const { imageDigest, hotImage } = seen;
      return events({ type: 'WorkspaceUndeployed', data: { ...fields, imageDigest, hotImage } }, released(state));
    }
    default:
      return unreachable(intent.kind);
  }
}

/** The workspace has left the host, confirmed: the lock goes in the same append (PROTOCOL.md, "release"). */
function released(state: WorkspaceState): WorkspaceEvent {
  const { lock } = state;
  const holder = lock.kind === 'held' ? lock.holder : '';
  const epoch = lock.kind === 'held' ? lock.epoch : lock.lastEpoch;
  return { type: 'WorkspaceCheckedIn', data: { holder, epoch, because: 'undeployed' } };
}

const failureOf = {
  deploy: 'DeployFailed',
  start: 'StartFailed',
  pause: 'PauseFailed',
  unpause: 'UnpauseFailed',
  serialise: 'SerialiseFailed',
  stop: 'StopFailed',
  undeploy: 'UndeployFailed',
} as const;

function failure(
  state: WorkspaceState,
  intent: Exclude<Intent, { kind: 'none' }>,
  fields: OutcomeFields,
  seen: Extract<Observation, { kind: 'failed' }>,
): Interpretation {
  const mustBeAbsent = intent.kind === 'deploy' || intent.kind === 'start';
  // A failure that leaves a guest behind is none: the lock would be let go while something runs.
  if (mustBeAbsent && seen.guest !== 'absent') return ignored('contradicts-intent');
  const { reason, guest } = seen;
  const failed: WorkspaceEvent = {
    type: failureOf[intent.kind],
    data: { ...fields, class: seen.class, reason, guest },
  };
  if (seen.class !== 'corrupt' || state.integrity.kind === 'corrupted') return events(failed);
  const { hostId, epoch } = fields;
  return events(failed, {
    type: 'WorkspaceCorrupted',
    data: { attempted: intent.kind, evidence: reason, hostId, epoch },
  });
}

/** What the host sees now against what is believed. While an intent is open its own answer will tell, unless the power is unknown. */
function drift(
  state: WorkspaceState,
  evidence: WorkspaceEvidence,
  seen: Extract<Observation, { kind: 'observed' }>,
): Interpretation {
  const { power, intent } = state;
  if (overtaken(state, evidence)) return ignored('late');
  if (inMemory(power) === seen.guest) return ignored('known-already');
  if (intent.kind !== 'none' && power.kind !== 'unknown') return ignored('late');
  return events({
    type: 'DriftDetected',
    data: {
      hostId: evidence.hostId,
      epoch: evidence.epoch,
      believed: power.kind,
      observed: seen.guest,
      cause: seen.cause,
    },
  });
}

/** Evidence is repeated until it is acknowledged, so an observation can come again when something newer of the same boot is recorded. */
function overtaken({ heard }: WorkspaceState, { hostId, bootId, seq }: WorkspaceEvidence): boolean {
  return (
    heard !== undefined && heard.hostId === hostId && heard.bootId === bootId && seq !== undefined && seq <= heard.seq
  );
}

/** The guest as an observer of the VMM would see it, if the belief is right. */
function inMemory(power: Power): ObservedPower | undefined {
  switch (power.kind) {
    case 'running':
      return 'running';
    case 'paused':
      return 'paused';
    case 'serialised':
      return power.guest === 'in-memory' ? 'paused' : 'absent';
    case 'shutdown':
      return 'absent';
    case 'unknown':
      return undefined;
    default:
      return unreachable(power);
  }
}
