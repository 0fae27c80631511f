/**
 * Every intent and how it ended (PROTOCOL.md, "From intent to outcome"). An operation is opened by an intent and ended by its
 * one outcome; an operator's override may end it instead. The first ending stands (invariant I6).
 */
import type {
  CommandId,
  Epoch,
  FailureClass,
  FailureFields,
  HostId,
  Instant,
  IntentFields,
  IntentKind,
  OutcomeFields,
  WorkspaceEventType,
  WorkspaceId,
} from '@vw/domain';
import type { DecodedWorkspaceEvent } from '../decode.js';

export type OperationStatus = 'open' | 'done' | 'failed' | 'overridden';

export interface OperationRow {
  readonly workspaceId: WorkspaceId;
  readonly requestId: CommandId;
  readonly kind: IntentKind;
  readonly hostId: HostId;
  readonly epoch: Epoch;
  readonly status: OperationStatus;
  readonly requestedAt: Instant;
  readonly deadline: Instant;
  readonly cancelRequested: boolean;
  readonly finishedAt: Instant | null;
  /** The type of the event that ended it. */
  readonly outcome: WorkspaceEventType | null;
  readonly failure: { readonly class: FailureClass; readonly reason: string } | null;
  /** Of the event that opened it, in the workspace's stream and in the log. */
  readonly revision: number;
  readonly position: number;
}

export type OperationChange =
  | { readonly kind: 'opened'; readonly operation: OperationRow }
  | { readonly kind: 'changed'; readonly requestId: CommandId; readonly to: Partial<OperationRow> };

/** What the event says of an operation; most events of a definition or a lock say nothing. */
export function operationChange(recorded: DecodedWorkspaceEvent): OperationChange | undefined {
  const { event } = recorded;
  switch (event.type) {
    case 'DeployRequested':
      return opened(recorded, 'deploy', event.data);
    case 'StartRequested':
      return opened(recorded, 'start', event.data);
    case 'PauseRequested':
      return opened(recorded, 'pause', event.data);
    case 'UnpauseRequested':
      return opened(recorded, 'unpause', event.data);
    case 'SerialiseRequested':
      return opened(recorded, 'serialise', event.data);
    case 'StopRequested':
      return opened(recorded, 'stop', event.data);
    case 'UndeployRequested':
      return opened(recorded, 'undeploy', event.data);
    case 'WorkspaceDeployed':
    case 'WorkspaceStarted':
    case 'WorkspacePaused':
    case 'WorkspaceUnpaused':
    case 'HotImageCaptured':
    case 'WorkspaceStopped':
    case 'WorkspaceUndeployed':
      return done(recorded, event.data);
    case 'DeployFailed':
    case 'StartFailed':
    case 'PauseFailed':
    case 'UnpauseFailed':
    case 'SerialiseFailed':
    case 'StopFailed':
    case 'UndeployFailed':
      return failed(recorded, event.data);
    case 'CancelRequested':
      return { kind: 'changed', requestId: event.data.requestId, to: { cancelRequested: true } };
    case 'OperatorOverrode': {
      const { closedRequestId } = event.data;
      if (closedRequestId === undefined) return undefined;
      return { kind: 'changed', requestId: closedRequestId, to: ending(recorded, 'overridden') };
    }
    default:
      return undefined;
  }
}

function opened(recorded: DecodedWorkspaceEvent, kind: IntentKind, fields: IntentFields): OperationChange {
  const operation: OperationRow = {
    workspaceId: recorded.id,
    requestId: fields.requestId,
    kind,
    hostId: fields.hostId,
    epoch: fields.epoch,
    status: 'open',
    requestedAt: recorded.metadata.recordedAt,
    deadline: fields.deadline,
    cancelRequested: false,
    finishedAt: null,
    outcome: null,
    failure: null,
    revision: recorded.revision,
    position: recorded.position,
  };
  return { kind: 'opened', operation };
}

function done(recorded: DecodedWorkspaceEvent, { requestId }: OutcomeFields): OperationChange {
  return { kind: 'changed', requestId, to: ending(recorded, 'done') };
}

function failed(recorded: DecodedWorkspaceEvent, fields: FailureFields): OperationChange {
  const failure = { class: fields.class, reason: fields.reason };
  return { kind: 'changed', requestId: fields.requestId, to: { ...ending(recorded, 'failed'), failure } };
}

function ending(recorded: DecodedWorkspaceEvent, status: OperationStatus): Partial<OperationRow> {
  return { status, finishedAt: recorded.metadata.recordedAt, outcome: recorded.event.type };
}
