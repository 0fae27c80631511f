/** From an open intent to the task that asks a host to fulfil it. Made of the log alone, so it can be made again at any time. */
import type { Task, Work } from '@vw/contracts';
import { allotment, type Recorded, type WorkspaceEvent, type WorkspaceState } from '@vw/domain';
import type { Clock } from '@vw/runtime';

export function taskOf(
  state: WorkspaceState,
  history: readonly Recorded<WorkspaceEvent>[],
  clock: Clock,
): Task | undefined {
  const { intent, workspaceId } = state;
  if (intent.kind === 'none') return undefined;
  const opened = history[intent.revision]?.event;
  const work = opened && workOf(state, opened);
  if (work === undefined) return undefined;
  const { requestId, hostId, epoch, deadline } = intent;
  return { taskId: requestId, workspaceId, hostId, epoch, issuedAt: clock.now(), deadline, work };
}

function workOf(state: WorkspaceState, opened: WorkspaceEvent): Work | undefined {
  switch (opened.type) {
    case 'DeployRequested': {
      const { image, hotImage, addresses } = opened.data;
      const commandLine = state.description.requirements.kernel?.parameters ?? '';
      return { kind: 'deploy', image, hotImage, machine: { ...allotment(state.description), commandLine }, addresses };
    }
    case 'StartRequested': {
      const { from } = opened.data;
      return from.kind === 'image'
        ? { kind: 'start', from: 'image' }
        : { kind: 'start', from: 'hot-image', hotImage: from.hotImage };
    }
    case 'PauseRequested':
      return { kind: 'pause' };
    case 'UnpauseRequested':
      return { kind: 'unpause' };
    case 'SerialiseRequested':
      return { kind: 'serialise' };
    case 'StopRequested':
      return { kind: 'stop', mode: opened.data.mode, graceMs: opened.data.graceMs };
    case 'UndeployRequested':
      return { kind: 'undeploy', captureHotImage: opened.data.captureHotImage };
    default:
      return undefined;
  }
}
