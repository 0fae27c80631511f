/** The questions that several commands must put first. Each answers with a refusal, or with nothing. */
import { type Decision, refuse } from '../decision.js';
import type { Instant } from '../ids.js';
import { ledgerSubject } from './commands.js';
import type { ImageRef } from './events.js';
import { hotImageOf } from './evolve.js';
import type { Lock, Placement, WorkspaceState } from './state.js';

export type Refused = Extract<Decision<never>, { kind: 'refused' }>;
export type Placed = Exclude<Placement, { kind: 'none' }>;
export type HeldLock = Extract<Lock, { kind: 'held' }>;

const refused = (...args: Parameters<typeof refuse>): Refused => refuse(...args) as Refused;

/** The first refusal among several questions, asked in order. */
export function firstRefusal(...answers: readonly (Refused | undefined)[]): Refused | undefined {
  return answers.find((answer) => answer !== undefined);
}

export function lockHeldBy(lock: HeldLock, by: string): Refused {
  return refused('LOCK_HELD', { by }, { holder: lock.holder, epoch: lock.epoch, leaseUntil: lock.leaseUntil });
}

/** A lease that has run out gives way only where no host has the workspace: a host's guest does not read the clock of the ledger. */
export function leaseRanOut(state: WorkspaceState, at: Instant): boolean {
  return state.lock.kind === 'held' && state.placement.kind === 'none' && state.lock.leaseUntil <= at;
}

/** Refuses whoever is not the holder of a held lock. On an expired workspace the ledger's own hand is let through. */
export function unlessHeldByAnother(state: WorkspaceState, by: string): Refused | undefined {
  if (state.lock.kind === 'free' || state.lock.holder === by) return undefined;
  if (by === ledgerSubject && state.expired) return undefined;
  return lockHeldBy(state.lock, by);
}

export function unlessIntentOpen(state: WorkspaceState): Refused | undefined {
  const { intent } = state;
  if (intent.kind === 'none') return undefined;
  return refused(
    'INTENT_OPEN',
    {},
    {
      intent: intent.kind,
      requestId: intent.requestId,
      hostId: intent.hostId,
      since: intent.since,
      deadline: intent.deadline,
    },
  );
}

export function unlessDeployed(state: WorkspaceState): Refused | undefined {
  const { placement } = state;
  if (placement.kind === 'none') return undefined;
  return refused('DEPLOYED', {}, { placement: placement.kind, hostId: placement.hostId, epoch: placement.epoch });
}

export function unlessCorrupted(state: WorkspaceState): Refused | undefined {
  const { integrity } = state;
  if (integrity.kind !== 'corrupted') return undefined;
  return refused('CORRUPTED', {}, { attempted: integrity.attempted, evidence: integrity.evidence });
}

export function unlessExpired(state: WorkspaceState, at: Instant): Refused | undefined {
  const over = state.expired || (state.expiresAt !== undefined && state.expiresAt <= at);
  return over ? refused('EXPIRED', { at }, { expiresAt: state.expiresAt ?? null }) : undefined;
}

export function unlessPowerUnknown(state: WorkspaceState): Refused | undefined {
  if (state.power.kind !== 'unknown') return undefined;
  return refused('POWER_UNKNOWN', {}, { lastKnown: state.power.lastKnown, since: state.power.since });
}

/** A frozen memory continued beside another disk would ruin both: the hot image holds the workspace to the image it was taken on. */
export function unlessHotImageOfAnother(state: WorkspaceState, image: ImageRef | undefined): Refused | undefined {
  const hotImage = hotImageOf(state.power);
  if (hotImage === undefined || image === undefined || image.digest === state.image?.digest) return undefined;
  return refused(
    'HAS_HOT_IMAGE',
    { image: image.digest },
    { image: state.image?.digest ?? null, hotImage: hotImage.digest },
  );
}

/** The host that has the workspace ready, when nothing is under way there and the caller may act; otherwise why not. */
export function readyOn(state: WorkspaceState, by: string): Refused | (Placed & { kind: 'staged' }) {
  const refusal = firstRefusal(unlessHeldByAnother(state, by), unlessIntentOpen(state));
  if (refusal) return refusal;
  const { placement } = state;
  if (placement.kind !== 'staged') return refused('NOT_DEPLOYED', {}, { placement: placement.kind });
  return placement as Placed & { kind: 'staged' };
}
