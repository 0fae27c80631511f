/** Everything that can have happened to a workspace (PROTOCOL.md, "Streams and events"). An intent ends in exactly one outcome. */
import type { WorkspaceDescription } from '../description.js';
import type { CommandId, Epoch, HostId, ImageDigest, Instant, WorkspaceId } from '../ids.js';

/** An image of the repository, as it was when it was chosen. */
export interface ImageRef {
  /**
   * @minLength 1
   * @maxLength 128
   */
  name: string;
  digest: ImageDigest;
  kind: 'kernel' | 'disk';
}

/** A paused guest's full state in the image repository, and what can continue it. */
export interface HotImage {
  digest: ImageDigest;
  /**
   * @asType integer
   * @minimum 0
   */
  sizeBytes: number;
  vmmType: string;
  vmmVersion: string;
  machine: string;
}

/** Why an intent failed, by what can be done about it. */
export type FailureClass =
  /** The host could not: disk, memory, permissions. Another host might. */
  | 'host'
  /** The VMM refused or died. */
  | 'vmm'
  /** The guest ended, or is not in the state the intent needs. */
  | 'guest'
  /** The image is missing or does not fit this VMM. */
  | 'image'
  /** The bytes are not what they should be: the workspace is corrupted by the same append. */
  | 'corrupt'
  /** Somebody asked to cancel, and it was early enough. */
  | 'cancelled'
  /** The host's journal knows a higher epoch, or that this one is closed. */
  | 'stale-epoch';

/** What the host saw of the guest when it reported. */
export type ObservedPower = 'running' | 'paused' | 'absent';

/** What the ledger believed of the guest. */
export type BelievedPower = 'shutdown' | 'running' | 'paused' | 'serialised' | 'unknown';

/** The place and time of an intent: one host, one epoch, one deadline. */
export interface IntentFields {
  requestId: CommandId;
  hostId: HostId;
  epoch: Epoch;
  deadline: Instant;
}

export interface OutcomeFields {
  requestId: CommandId;
  hostId: HostId;
  epoch: Epoch;
}

export interface FailureFields extends OutcomeFields {
  class: FailureClass;
  reason: string;
  /** The guest as the VMM showed it after the failure; a failed deploy or start says `absent`, confirmed. */
  guest: ObservedPower;
}

type Event<Type extends string, Data> = { readonly type: Type; readonly data: Data };

export type DefinitionEvent =
  | Event<
      'WorkspaceCreated',
      {
        workspaceId: WorkspaceId;
        owner: string;
        description: WorkspaceDescription;
        /** Absent until the repository has an image that the description asks for. */
        image?: ImageRef;
        clonedFrom?: { workspaceId: WorkspaceId; revision: number };
        expiresAt?: Instant;
      }
    >
  | Event<'WorkspaceRefined', { description?: WorkspaceDescription; image?: ImageRef }>
  | Event<'LifetimeSet', { expiresAt: Instant | null }>
  | Event<'WorkspaceExpired', { expiresAt: Instant }>
  | Event<'WorkspaceRetired', { reason: string }>;

export type LockEvent =
  | Event<'WorkspaceCheckedOut', { holder: string; epoch: Epoch; leaseUntil: Instant }>
  | Event<'LeaseRenewed', { holder: string; epoch: Epoch; leaseUntil: Instant }>
  /** The epoch fences hosts: it rises here only when no host has the workspace. */
  | Event<'LockStolen', { from: string; holder: string; epoch: Epoch; leaseUntil: Instant; reason: string }>
  | Event<
      'WorkspaceCheckedIn',
      { holder: string; epoch: Epoch; because: 'asked' | 'undeployed' | 'lease-expired' | 'retired' }
    >;

export type StartFrom =
  { kind: 'image'; digest: ImageDigest } | { kind: 'hot-image'; hotImage: HotImage; image: ImageDigest };

export type DeploymentEvent =
  | Event<
      'DeployRequested',
      IntentFields & {
        image: ImageRef;
        /** A hot image to stage besides, when the workspace was serialised before. */
        hotImage?: HotImage;
        addresses: string[];
      }
    >
  | Event<'WorkspaceDeployed', OutcomeFields & { imageDigest: ImageDigest }>
  | Event<'DeployFailed', FailureFields>
  | Event<'UndeployRequested', IntentFields & { captureHotImage: boolean }>
  | Event<'WorkspaceUndeployed', OutcomeFields & { imageDigest: ImageDigest; hotImage?: HotImage }>
  | Event<'UndeployFailed', FailureFields>;

export type PowerEvent =
  | Event<'StartRequested', IntentFields & { from: StartFrom }>
  | Event<
      'WorkspaceStarted',
      OutcomeFields & { from: 'image' | 'hot-image'; vmm: { type: string; version: string; accelerator: string } }
    >
  | Event<'StartFailed', FailureFields>
  | Event<'PauseRequested', IntentFields>
  | Event<'WorkspacePaused', OutcomeFields>
  | Event<'PauseFailed', FailureFields>
  | Event<'UnpauseRequested', IntentFields>
  | Event<'WorkspaceUnpaused', OutcomeFields>
  | Event<'UnpauseFailed', FailureFields>
  | Event<'SerialiseRequested', IntentFields>
  | Event<'HotImageCaptured', OutcomeFields & { hotImage: HotImage }>
  | Event<'SerialiseFailed', FailureFields>
  | Event<
      'StopRequested',
      IntentFields & {
        mode: 'graceful' | 'hard';
        /**
         * How long a graceful stop may take before the power is taken, in milliseconds.
         * @asType integer
         * @minimum 0
         */
        graceMs: number;
      }
    >
  | Event<'WorkspaceStopped', OutcomeFields>
  | Event<'StopFailed', FailureFields>;

export type TruthEvent =
  /** The host is asked to give up an open intent; the outcome still comes from its evidence. */
  | Event<'CancelRequested', { requestId: CommandId; reason: string }>
  | Event<'WorkspaceCorrupted', { attempted: string; evidence: string; hostId?: HostId; epoch?: Epoch }>
  | Event<'WorkspaceRepaired', { reason: string; discardedHotImage: boolean; image?: ImageRef }>
  | Event<
      'DriftDetected',
      { hostId: HostId; epoch: Epoch; believed: BelievedPower; observed: ObservedPower; cause: string }
    >
  | Event<
      'PlacementBecameUnknown',
      { hostId: HostId; epoch: Epoch; lastKnown: BelievedPower; since: Instant; reason: string }
    >
  | Event<
      'OperatorOverrode',
      { hostId: HostId; epoch: Epoch; closedRequestId?: CommandId; asserted: 'guest-absent'; reason: string }
    >;

export type WorkspaceEvent = DefinitionEvent | LockEvent | DeploymentEvent | PowerEvent | TruthEvent;

export type WorkspaceEventType = WorkspaceEvent['type'];
