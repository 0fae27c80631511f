/** Commands on the guest. Nothing here starts a corrupted workspace (invariant I8). */
import { accept, alreadyDone, type Decision, refuse } from '../decision.js';
import type { CommandOf, WorkspaceCommand } from './commands.js';
import type { IntentFields, StartFrom, WorkspaceEvent } from './events.js';
import { type Placed, readyOn, unlessCorrupted, unlessExpired, unlessPowerUnknown } from './guards.js';
import type { WorkspaceState } from './state.js';

type Outcome = Decision<WorkspaceEvent>;

const intent = (command: WorkspaceCommand & { deadline: number }, ready: Placed): IntentFields => ({
  requestId: command.commandId,
  hostId: ready.hostId,
  epoch: ready.epoch,
  deadline: command.deadline,
});

export function start(state: WorkspaceState, command: CommandOf<'start'>): Outcome {
  const ready = readyOn(state, command.by);
  if (ready.kind === 'refused') return ready;
  const refusal = unlessExpired(state, command.at) ?? unlessCorrupted(state) ?? unlessPowerUnknown(state);
  if (refusal) return refusal;
  const { power, image } = state;
  if (power.kind === 'running') return alreadyDone;
  if (power.kind === 'paused' || (power.kind === 'serialised' && power.guest === 'in-memory')) {
    return refuse('PAUSED_IN_MEMORY', { from: command.from ?? null }, { power: power.kind });
  }
  if (image === undefined) return refuse('NO_IMAGE', {}, { name: state.description.name });
  let from: StartFrom = { kind: 'image', digest: image.digest };
  if (power.kind === 'serialised' && command.from !== 'image') {
    from = { kind: 'hot-image', hotImage: power.hotImage, image: image.digest };
  } else if (command.from === 'hot-image') {
    return refuse('NO_HOT_IMAGE', { from: command.from }, { power: power.kind });
  }
  return accept({ type: 'StartRequested', data: { ...intent(command, ready), from } });
}

export function pause(state: WorkspaceState, command: CommandOf<'pause'>): Outcome {
  const ready = readyOn(state, command.by);
  if (ready.kind === 'refused') return ready;
  const { power } = state;
  switch (power.kind) {
    case 'paused':
      return alreadyDone;
    case 'serialised':
      return power.guest === 'in-memory' ? alreadyDone : refuse('NOT_RUNNING', {}, { power: power.kind });
    case 'running':
      return accept({ type: 'PauseRequested', data: intent(command, ready) });
    default:
      return unlessPowerUnknown(state) ?? refuse('NOT_RUNNING', {}, { power: power.kind });
  }
}

/** Continues an ongoing computation; a hot image taken of it meanwhile is then behind it, and void. */
export function unpause(state: WorkspaceState, command: CommandOf<'unpause'>): Outcome {
  const ready = readyOn(state, command.by);
  if (ready.kind === 'refused') return ready;
  const refusal = unlessExpired(state, command.at) ?? unlessCorrupted(state) ?? unlessPowerUnknown(state);
  if (refusal) return refusal;
  const { power } = state;
  if (power.kind === 'running') return alreadyDone;
  if (power.kind === 'paused' || (power.kind === 'serialised' && power.guest === 'in-memory')) {
    return accept({ type: 'UnpauseRequested', data: intent(command, ready) });
  }
  return refuse('NOT_PAUSED', {}, { power: power.kind });
}

export function serialise(state: WorkspaceState, command: CommandOf<'serialise'>): Outcome {
  const ready = readyOn(state, command.by);
  if (ready.kind === 'refused') return ready;
  const { power } = state;
  switch (power.kind) {
    case 'serialised':
      return alreadyDone;
    case 'paused':
      return accept({ type: 'SerialiseRequested', data: intent(command, ready) });
    case 'running':
      return refuse('RUNNING', {}, { power: power.kind });
    default:
      return unlessPowerUnknown(state) ?? refuse('NOT_PAUSED', {}, { power: power.kind });
  }
}

/** Legal also when nobody knows whether the guest runs: stopping is how one finds out. */
export function stop(state: WorkspaceState, command: CommandOf<'stop'>): Outcome {
  const ready = readyOn(state, command.by);
  if (ready.kind === 'refused') return ready;
  const { power } = state;
  const atRest = power.kind === 'shutdown' || (power.kind === 'serialised' && power.guest === 'none');
  if (atRest) return alreadyDone;
  const { mode, graceMs } = command;
  return accept({ type: 'StopRequested', data: { ...intent(command, ready), mode, graceMs } });
}
