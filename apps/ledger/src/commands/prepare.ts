/**
 * From a request to a domain command: adds the time, the site's policy, and what the rest of the world must contribute (the image that a name means
 * now, the host that can take the workspace). What cannot be added is a refusal, before anything is decided.
 */
import {
  chooseHost,
  type Decision,
  type HostId,
  hotImageOf,
  type ImageRef,
  isId,
  refuse,
  suitability,
  unreachable,
  type WorkspaceCommand,
  type WorkspaceDescription,
  type WorkspaceState,
} from '@vw/domain';
import type { Clock } from '@vw/runtime';
import { imageNameOf } from './image-name.js';
import type { Policy } from './policy.js';
import type { CommandRequest } from './request.js';
import type { World } from './world.js';

type Refused = Extract<Decision<never>, { kind: 'refused' }>;
export type Prepared = { readonly kind: 'command'; readonly command: WorkspaceCommand } | Refused;

export async function prepare(
  request: CommandRequest,
  state: WorkspaceState,
  world: World,
  policy: Policy,
  clock: Clock,
): Promise<Prepared> {
  const at = clock.now();
  const asked = { commandId: request.commandId, at, by: request.principal.subject };
  const lease = (seconds = policy.leaseSeconds) => at + seconds * 1000;
  const ready = (command: WorkspaceCommand): Prepared => ({ kind: 'command', command });
  switch (request.verb) {
    case 'create': {
      const { description, image: name } = request.body;
      const image = name === undefined ? world.image(imageNameOf(description) ?? '') : world.image(name);
      if (name !== undefined && image === undefined) return noImage(name);
      return ready({ ...asked, type: 'create', workspaceId: request.workspaceId, description, image });
    }
    case 'clone': {
      const source = await world.workspace(request.body.source);
      if (source.definition === 'none') return refuse('NOT_FOUND', { source: request.body.source }) as Refused;
      return ready({ ...asked, type: 'clone', workspaceId: request.workspaceId, source, name: request.body.name });
    }
    case 'refine': {
      const { image: name, vmm } = request.body;
      const image = name === undefined ? undefined : world.image(name);
      if (name !== undefined && image === undefined) return noImage(name);
      let { description } = request.body;
      if (vmm !== undefined) description = withVmm(description ?? state.description, vmm);
      return ready({ ...asked, type: 'refine', description, image });
    }
    case 'check-out':
      return ready({ ...asked, type: 'check-out', leaseUntil: lease(request.body.leaseSeconds) });
    case 'renew':
      return ready({ ...asked, type: 'renew', leaseUntil: lease(request.body.leaseSeconds) });
    case 'steal-lock': {
      const { reason, leaseSeconds } = request.body;
      return ready({ ...asked, type: 'steal-lock', reason, leaseUntil: lease(leaseSeconds) });
    }
    case 'check-in':
    case 'expire':
      return ready({ ...asked, type: request.verb });
    case 'deploy':
      return prepareDeploy(request, state, world, (command) =>
        ready({
          ...asked,
          ...command,
          type: 'deploy',
          addresses: [],
          leaseUntil: lease(request.body.leaseSeconds),
          deadline: at + (request.body.deadlineSeconds ?? policy.deadlineSeconds.deploy) * 1000,
        }),
      );
    case 'start': {
      const deadline = at + (request.body.deadlineSeconds ?? policy.deadlineSeconds.start) * 1000;
      return ready({ ...asked, type: 'start', from: request.body.from, deadline });
    }
    case 'stop': {
      const { mode = 'graceful', graceSeconds = policy.graceSeconds, deadlineSeconds } = request.body;
      const graceMs = graceSeconds * 1000;
      const deadline = at + (deadlineSeconds ?? policy.deadlineSeconds.stop) * 1000 + graceMs;
      return ready({ ...asked, type: 'stop', mode, graceMs, deadline });
    }
    case 'pause':
    case 'unpause':
    case 'serialise':
    case 'undeploy': {
      const seconds = request.body.deadlineSeconds ?? policy.deadlineSeconds[request.verb];
      return ready({ ...asked, type: request.verb, deadline: at + seconds * 1000 });
    }
    case 'set-lifetime': {
      const { expiresAt = null, seconds } = request.body;
      return ready({
        ...asked,
        type: 'set-lifetime',
        expiresAt: seconds === undefined ? expiresAt : at + seconds * 1000,
      });
    }
    case 'repair': {
      const { reason, discardHotImage = false, image: name } = request.body;
      const image = name === undefined ? undefined : world.image(name);
      if (name !== undefined && image === undefined) return noImage(name);
      return ready({ ...asked, type: 'repair', reason, discardHotImage, image });
    }
    case 'cancel':
    case 'retire':
    case 'override':
    case 'mark-unknown':
      return ready({ ...asked, type: request.verb, reason: request.body.reason });
    default:
      return unreachable(request);
  }
}

/** A workspace that is on a host stays with it, so that asking again finds it there; otherwise a host is chosen, or the named one judged. */
function prepareDeploy(
  request: Extract<CommandRequest, { verb: 'deploy' }>,
  state: WorkspaceState,
  world: World,
  ready: (choice: { hostId: HostId; image: ImageRef }) => Prepared,
): Prepared {
  const { host: named, image: imageName } = request.body;
  const wantedName = imageName ?? imageNameOf(state.description);
  const image = imageName === undefined ? (state.image ?? world.image(wantedName ?? '')) : world.image(imageName);
  if (image === undefined) return noImage(wantedName ?? null);
  if (named !== undefined && !isId(named)) return refuse('INVALID', { host: named }, { expected: 'an id' }) as Refused;
  if (state.placement.kind !== 'none') return ready({ hostId: (named as HostId) ?? state.placement.hostId, image });
  const wanted = { description: state.description, image, hotImage: hotImageOf(state.power) };
  const offers = world.hosts();
  if (named !== undefined) {
    const offer = offers.find(({ host }) => host.hostId === named);
    if (offer === undefined) return refuse('NOT_FOUND', { host: named }) as Refused;
    const answer = suitability(offer, wanted);
    if (!answer.suitable) return refuse('HOST_UNSUITABLE', { host: named }, { lacks: answer.lacks }) as Refused;
    return ready({ hostId: offer.host.hostId, image });
  }
  const choice = chooseHost(offers, wanted);
  if ('lacking' in choice)
    return refuse('NO_HOST', { image: image.name }, Object.fromEntries(choice.lacking)) as Refused;
  return ready({ hostId: choice.hostId, image });
}

const noImage = (name: string | null): Refused => refuse('NO_IMAGE', { image: name }) as Refused;

function withVmm(description: WorkspaceDescription, vmm: string): WorkspaceDescription {
  const type = vmm as NonNullable<WorkspaceDescription['requirements']['vmm']>['type'];
  return { ...description, requirements: { ...description.requirements, vmm: { type } } };
}
