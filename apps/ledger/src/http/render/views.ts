/** From what is known to what is said over HTTP: instants become RFC 3339, ids become links. No decision is taken here. */
import type { EventView, OperationView, WorkspaceReference, WorkspaceView } from '@vw/contracts';
import { paperState, type WorkspaceState } from '@vw/domain';
import type { KnownEvent, OperationRow } from '@vw/projections';
import { rfc3339 } from '@vw/runtime';

/** The workspace's reference: the paper's EPR, a URI that names it and the owner that it belongs to. */
export function referenceOf(baseUri: string, workspaceId: string, owner: string): WorkspaceReference {
  return { uri: `${baseUri}/v1/workspaces/${workspaceId}`, owner };
}

export function workspaceView(baseUri: string, state: WorkspaceState, updatedAt: number): WorkspaceView {
  const { workspaceId, owner, description, lock, placement, power, integrity, intent, expiresAt } = state;
  return {
    workspaceId,
    reference: referenceOf(baseUri, workspaceId, owner),
    name: description.name,
    owner,
    state: paperState(state),
    definition: state.definition === 'retired' ? 'retired' : 'active',
    expired: state.expired,
    description: { ...description },
    image: state.image ?? null,
    clonedFrom: state.clonedFrom ?? null,
    lock:
      lock.kind === 'free'
        ? lock
        : { kind: 'held', holder: lock.holder, epoch: lock.epoch, leaseUntil: rfc3339(lock.leaseUntil) },
    placement,
    power:
      power.kind === 'unknown' ? { kind: 'unknown', lastKnown: power.lastKnown, since: rfc3339(power.since) } : power,
    integrity,
    intent:
      intent.kind === 'none'
        ? intent
        : {
            kind: intent.kind,
            requestId: intent.requestId,
            hostId: intent.hostId,
            epoch: intent.epoch,
            since: rfc3339(intent.since),
            deadline: rfc3339(intent.deadline),
            cancelRequested: intent.cancelRequested,
          },
    createdAt: rfc3339(state.createdAt),
    updatedAt: rfc3339(updatedAt),
    expiresAt: expiresAt === undefined ? null : rfc3339(expiresAt),
    revision: state.revision,
    position: state.position,
  };
}

export function eventView({ position, stream, revision, eventId, event, metadata }: KnownEvent): EventView {
  return {
    position,
    stream,
    revision,
    eventId,
    type: event.type,
    recordedAt: rfc3339(metadata.recordedAt),
    observedAt: metadata.evidence === undefined ? null : rfc3339(metadata.evidence.observedAt),
    actor: metadata.principal.subject,
    commandId: metadata.commandId ?? null,
    data: { ...event.data },
  };
}

export function operationView(row: OperationRow): OperationView {
  const { workspaceId, requestId, kind, hostId, epoch, status, cancelRequested, outcome, failure } = row;
  return {
    workspaceId,
    requestId,
    kind,
    hostId,
    epoch,
    status,
    requestedAt: rfc3339(row.requestedAt),
    deadline: rfc3339(row.deadline),
    cancelRequested,
    finishedAt: row.finishedAt === null ? null : rfc3339(row.finishedAt),
    outcome,
    failure,
  };
}
