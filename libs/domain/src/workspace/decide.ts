/**
 * What a command makes of a workspace: events, nothing to do, or a refusal. Pure: the same state and command give the same decision, for ever.
 * Every command is answered in every state; none throws.
 */
import { type Decision, refuse, unreachable } from '../decision.js';
import type { WorkspaceCommand } from './commands.js';
import { clone, create, expire, refine, retire, setLifetime } from './definition.js';
import { deploy, undeploy } from './deployment.js';
import type { WorkspaceEvent } from './events.js';
import { cancel, markUnknown, override, repair } from './exceptions.js';
import { checkIn, checkOut, renew, stealLock } from './locking.js';
import { pause, serialise, start, stop, unpause } from './power.js';
import type { WorkspaceState } from './state.js';

export function decideWorkspace(state: WorkspaceState, command: WorkspaceCommand): Decision<WorkspaceEvent> {
  if (command.type === 'create') return create(state, command);
  if (command.type === 'clone') return clone(state, command);
  if (state.definition === 'none') return refuse('NOT_FOUND', { command: command.type });
  if (state.definition === 'retired') {
    return command.type === 'retire' ? { kind: 'already-done' } : refuse('RETIRED', { command: command.type });
  }
  switch (command.type) {
    case 'refine':
      return refine(state, command);
    case 'set-lifetime':
      return setLifetime(state, command);
    case 'expire':
      return expire(state, command);
    case 'retire':
      return retire(state, command);
    case 'check-out':
      return checkOut(state, command);
    case 'check-in':
      return checkIn(state, command);
    case 'renew':
      return renew(state, command);
    case 'steal-lock':
      return stealLock(state, command);
    case 'deploy':
      return deploy(state, command);
    case 'undeploy':
      return undeploy(state, command);
    case 'start':
      return start(state, command);
    case 'pause':
      return pause(state, command);
    case 'unpause':
      return unpause(state, command);
    case 'serialise':
      return serialise(state, command);
    case 'stop':
      return stop(state, command);
    case 'cancel':
      return cancel(state, command);
    case 'repair':
      return repair(state, command);
    case 'override':
      return override(state, command);
    case 'mark-unknown':
      return markUnknown(state, command);
    default:
      return unreachable(command);
  }
}
