/** Commands for when things went wrong: give up an intent, mend a corrupted workspace, say what no evidence will. */
import { accept, alreadyDone, type Decision, refuse } from '../decision.js';
import type { CommandOf } from './commands.js';
import type { WorkspaceEvent } from './events.js';
import { hotImageOf } from './evolve.js';
import { firstRefusal, unlessHeldByAnother, unlessHotImageOfAnother, unlessIntentOpen } from './guards.js';
import type { WorkspaceState } from './state.js';

type Outcome = Decision<WorkspaceEvent>;

/** The intent stays open: only the host can say how it ended, cancelled or done. */
export function cancel(state: WorkspaceState, command: CommandOf<'cancel'>): Outcome {
  const { intent } = state;
  const refusal = unlessHeldByAnother(state, command.by);
  if (refusal) return refusal;
  if (intent.kind === 'none') return refuse('NO_INTENT');
  if (intent.cancelRequested) return alreadyDone;
  return accept({ type: 'CancelRequested', data: { requestId: intent.requestId, reason: command.reason } });
}

export function repair(state: WorkspaceState, command: CommandOf<'repair'>): Outcome {
  const { reason, discardHotImage, image, by } = command;
  const refusal = firstRefusal(unlessHeldByAnother(state, by), unlessIntentOpen(state));
  if (refusal) return refusal;
  if (state.integrity.kind === 'ok') return alreadyDone;
  if (discardHotImage && hotImageOf(state.power) === undefined) {
    return refuse('NO_HOT_IMAGE', { discardHotImage }, { power: state.power.kind });
  }
  if (image !== undefined && state.placement.kind !== 'none') {
    return refuse('DEPLOYED', { image: image.name }, { hostId: state.placement.hostId });
  }
  const bound = discardHotImage ? undefined : unlessHotImageOfAnother(state, image);
  if (bound) return bound;
  return accept({ type: 'WorkspaceRepaired', data: { reason, discardedHotImage: discardHotImage, image } });
}

/**
 * An operator vouches that no guest is left, against or without evidence. Placement, lock and intent are let go; the record shows by whom and why.
 */
export function override(state: WorkspaceState, command: CommandOf<'override'>): Outcome {
  const { placement, intent } = state;
  if (placement.kind === 'none') return alreadyDone;
  const { hostId, epoch } = placement;
  const closedRequestId = intent.kind === 'none' ? undefined : intent.requestId;
  return accept({
    type: 'OperatorOverrode',
    data: { hostId, epoch, closedRequestId, asserted: 'guest-absent', reason: command.reason },
  });
}

/** The host does not answer: what was known becomes what was last known. Never a guess at failure. */
export function markUnknown(state: WorkspaceState, command: CommandOf<'mark-unknown'>): Outcome {
  const { placement, power } = state;
  if (placement.kind === 'none' || power.kind === 'unknown') return alreadyDone;
  return accept({
    type: 'PlacementBecameUnknown',
    data: {
      hostId: placement.hostId,
      epoch: placement.epoch,
      lastKnown: power.kind,
      since: command.at,
      reason: command.reason,
    },
  });
}
