/** Commands that bring a workspace to a host and away from it. */
import { accept, alreadyDone, type Decision, refuse } from '../decision.js';
import type { CommandOf } from './commands.js';
import type { LockEvent, WorkspaceEvent } from './events.js';
import { hotImageOf } from './evolve.js';
import {
  firstRefusal,
  readyOn,
  unlessCorrupted,
  unlessExpired,
  unlessHeldByAnother,
  unlessHotImageOfAnother,
  unlessIntentOpen,
  unlessPowerUnknown,
} from './guards.js';
import { grant } from './locking.js';
import type { WorkspaceState } from './state.js';

type Outcome = Decision<WorkspaceEvent>;

/**
 * Deploys under the caller's lock, and takes the lock first where it is free, as the paper's VW Manager does. A second deployment under one grant gets
 * a new epoch first: a task of the first, delivered late, is then below the journal's epoch and does nothing.
 */
export function deploy(state: WorkspaceState, command: CommandOf<'deploy'>): Outcome {
  const { hostId, image, addresses, deadline, leaseUntil, commandId, by, at } = command;
  const { placement, lock } = state;
  const refusal = firstRefusal(unlessExpired(state, at), unlessIntentOpen(state), unlessCorrupted(state));
  if (refusal) return refusal;
  if (placement.kind !== 'none') {
    const another = unlessHeldByAnother(state, by);
    if (another) return another;
    if (placement.hostId === hostId) return alreadyDone;
    return refuse('DEPLOYED', { hostId }, { hostId: placement.hostId, epoch: placement.epoch });
  }
  const bound = unlessHotImageOfAnother(state, image);
  if (bound) return bound;
  const granted = grant(state, command);
  if (granted.kind === 'refused') return granted;
  const before: LockEvent[] = granted.kind === 'accepted' ? [...granted.events] : [];
  if (granted.kind === 'already-done' && lock.kind === 'held' && lock.spent) {
    before.push({ type: 'WorkspaceCheckedOut', data: { holder: by, epoch: lock.epoch + 1, leaseUntil } });
  }
  const last = before.at(-1);
  const epoch = last?.data.epoch ?? (lock.kind === 'held' ? lock.epoch : lock.lastEpoch);
  const hotImage = hotImageOf(state.power);
  return accept<WorkspaceEvent>(...before, {
    type: 'DeployRequested',
    data: { requestId: commandId, hostId, epoch, deadline, image, hotImage, addresses },
  });
}

/** Only from stopped or paused (paper §4); a guest paused in memory is captured in a hot image on the way, so that nothing is lost. */
export function undeploy(state: WorkspaceState, command: CommandOf<'undeploy'>): Outcome {
  if (state.placement.kind === 'none' && state.intent.kind === 'none') return alreadyDone;
  const ready = readyOn(state, command.by);
  if (ready.kind === 'refused') return ready;
  const unknown = unlessPowerUnknown(state);
  if (unknown) return unknown;
  if (state.power.kind === 'running') return refuse('RUNNING', {}, { hostId: ready.hostId, epoch: ready.epoch });
  return accept({
    type: 'UndeployRequested',
    data: {
      requestId: command.commandId,
      hostId: ready.hostId,
      epoch: ready.epoch,
      deadline: command.deadline,
      captureHotImage: state.power.kind === 'paused',
    },
  });
}
