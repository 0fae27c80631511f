/**
 * Commands on the lock. One holder, one epoch; an epoch is granted once and the next is one higher (invariant I3). While a host has the workspace the
 * lock is let go only by evidence of absence or by an override (I4): people may change hands over it, the epoch stays.
 */
import { accept, alreadyDone, type Decision, refuse } from '../decision.js';
import type { CommandOf } from './commands.js';
import type { LockEvent, WorkspaceEvent } from './events.js';
import { firstRefusal, leaseRanOut, lockHeldBy, unlessDeployed, unlessExpired, unlessIntentOpen } from './guards.js';
import type { WorkspaceState } from './state.js';

type Outcome = Decision<WorkspaceEvent>;

/** The grant of the lock to `by`: none where it is theirs, a refusal where it is another's, else the events that give it. */
export function grant(
  state: WorkspaceState,
  asked: { readonly by: string; readonly at: number; readonly leaseUntil: number },
): Decision<LockEvent> {
  const { by, at, leaseUntil } = asked;
  const { lock } = state;
  if (lock.kind === 'free') {
    return accept({ type: 'WorkspaceCheckedOut', data: { holder: by, epoch: lock.lastEpoch + 1, leaseUntil } });
  }
  if (lock.holder === by) return alreadyDone;
  if (!leaseRanOut(state, at)) return lockHeldBy(lock, by);
  return accept<LockEvent>(
    { type: 'WorkspaceCheckedIn', data: { holder: lock.holder, epoch: lock.epoch, because: 'lease-expired' } },
    { type: 'WorkspaceCheckedOut', data: { holder: by, epoch: lock.epoch + 1, leaseUntil } },
  );
}

export function checkOut(state: WorkspaceState, command: CommandOf<'check-out'>): Outcome {
  return unlessExpired(state, command.at) ?? grant(state, command);
}

export function checkIn(state: WorkspaceState, command: CommandOf<'check-in'>): Outcome {
  const { lock } = state;
  if (lock.kind === 'free') return alreadyDone;
  if (lock.holder !== command.by) return lockHeldBy(lock, command.by);
  const refusal = firstRefusal(unlessIntentOpen(state), unlessDeployed(state));
  if (refusal) return refusal;
  return accept({
    type: 'WorkspaceCheckedIn',
    data: { holder: lock.holder, epoch: lock.epoch, because: 'asked' },
  });
}

export function renew(state: WorkspaceState, command: CommandOf<'renew'>): Outcome {
  const { lock } = state;
  const { by, leaseUntil } = command;
  if (lock.kind === 'free') return refuse('LOCK_FREE', { by }, { lastEpoch: lock.lastEpoch });
  if (lock.holder !== by) return lockHeldBy(lock, by);
  if (leaseUntil <= lock.leaseUntil) return alreadyDone;
  return accept({ type: 'LeaseRenewed', data: { holder: by, epoch: lock.epoch, leaseUntil } });
}

/** Always legal against a held lock, so that nobody's absence can hold a workspace for ever. */
export function stealLock(state: WorkspaceState, command: CommandOf<'steal-lock'>): Outcome {
  const { lock } = state;
  const { by, reason, leaseUntil } = command;
  if (lock.kind === 'free') return refuse('LOCK_FREE', { by }, { lastEpoch: lock.lastEpoch });
  if (lock.holder === by) return alreadyDone;
  const epoch = state.placement.kind === 'none' ? lock.epoch + 1 : lock.epoch;
  return accept({ type: 'LockStolen', data: { from: lock.holder, holder: by, epoch, leaseUntil, reason } });
}
