/** Commands on the definition: what the workspace is, and for how long. The paper's VW Factory and the upkeep of its repository. */
import { accept, alreadyDone, type Decision, refuse } from '../decision.js';
import type { WorkspaceDescription } from '../description.js';
import type { Instant } from '../ids.js';
import type { CommandOf } from './commands.js';
import type { WorkspaceEvent } from './events.js';
import {
  firstRefusal,
  unlessDeployed,
  unlessHeldByAnother,
  unlessHotImageOfAnother,
  unlessIntentOpen,
} from './guards.js';
import type { WorkspaceState } from './state.js';

type Outcome = Decision<WorkspaceEvent>;

const expiryOf = (description: WorkspaceDescription, at: Instant): Instant | undefined =>
  description.lifetime === undefined ? undefined : at + description.lifetime.seconds * 1000;

export function create(state: WorkspaceState, command: CommandOf<'create'>): Outcome {
  const { workspaceId, description, image, at, by } = command;
  if (state.definition !== 'none') return refuse('ALREADY_EXISTS', { workspaceId }, { owner: state.owner });
  const expiresAt = expiryOf(description, at);
  return accept({ type: 'WorkspaceCreated', data: { workspaceId, owner: by, description, image, expiresAt } });
}

/** A clone has its source's definition and image, and nothing of its deployments: no lock, no host, no guest. */
export function clone(state: WorkspaceState, command: CommandOf<'clone'>): Outcome {
  const { workspaceId, source, name, at, by } = command;
  if (state.definition !== 'none') return refuse('ALREADY_EXISTS', { workspaceId }, { owner: state.owner });
  if (source.definition === 'none') return refuse('NOT_FOUND', { source: source.workspaceId });
  if (source.definition === 'retired') return refuse('RETIRED', { source: source.workspaceId });
  if (source.integrity.kind === 'corrupted') {
    return refuse('CORRUPTED', { source: source.workspaceId }, { evidence: source.integrity.evidence });
  }
  const description = { ...source.description, name: name ?? source.description.name };
  return accept({
    type: 'WorkspaceCreated',
    data: {
      workspaceId,
      owner: by,
      description,
      image: source.image,
      clonedFrom: { workspaceId: source.workspaceId, revision: source.revision },
      expiresAt: expiryOf(description, at),
    },
  });
}

/** What a host was given cannot be described otherwise afterwards: refine first, deploy then. */
export function refine(state: WorkspaceState, command: CommandOf<'refine'>): Outcome {
  const { description, image, by } = command;
  const refusal = firstRefusal(
    unlessHeldByAnother(state, by),
    unlessIntentOpen(state),
    unlessDeployed(state),
    unlessHotImageOfAnother(state, image),
  );
  if (refusal) return refusal;
  const sameDescription = description === undefined || sameValue(description, state.description);
  const sameImage = image === undefined || sameValue(image, state.image);
  if (sameDescription && sameImage) return alreadyDone;
  return accept({
    type: 'WorkspaceRefined',
    data: { description: sameDescription ? undefined : description, image: sameImage ? undefined : image },
  });
}

export function setLifetime(state: WorkspaceState, command: CommandOf<'set-lifetime'>): Outcome {
  const { expiresAt, at, by } = command;
  const refusal = unlessHeldByAnother(state, by);
  if (refusal) return refusal;
  if (expiresAt !== null && expiresAt <= at) return refuse('INVALID', { expiresAt }, { now: at });
  if ((state.expiresAt ?? null) === expiresAt && !state.expired) return alreadyDone;
  return accept({ type: 'LifetimeSet', data: { expiresAt } });
}

export function expire(state: WorkspaceState, command: CommandOf<'expire'>): Outcome {
  const { expiresAt, expired } = state;
  if (expired || expiresAt === undefined || expiresAt > command.at) return alreadyDone;
  return accept({ type: 'WorkspaceExpired', data: { expiresAt } });
}

export function retire(state: WorkspaceState, command: CommandOf<'retire'>): Outcome {
  const { reason, by } = command;
  const refusal = firstRefusal(unlessHeldByAnother(state, by), unlessIntentOpen(state), unlessDeployed(state));
  if (refusal) return refusal;
  const retired = { type: 'WorkspaceRetired', data: { reason } } as const;
  if (state.lock.kind === 'free') return accept<WorkspaceEvent>(retired);
  const { holder, epoch } = state.lock;
  return accept<WorkspaceEvent>({ type: 'WorkspaceCheckedIn', data: { holder, epoch, because: 'retired' } }, retired);
}

/** Whether two plain values say the same; the order of keys and keys without a value do not count. */
function sameValue(one: unknown, other: unknown): boolean {
  if (one === other) return true;
  if (typeof one !== 'object' || typeof other !== 'object' || one === null || other === null) return false;
  if (Array.isArray(one) !== Array.isArray(other)) return false;
  const left = one as Record<string, unknown>;
  const right = other as Record<string, unknown>;
  const keys = new Set([...Object.keys(left), ...Object.keys(right)]);
  return [...keys].every((key) => sameValue(left[key], right[key]));
}
