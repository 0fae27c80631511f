/** What a decider answers: a value, always. Exceptions are for bugs. */

/** Small facts for people and programs: what was asked, what was found. */
export type Facts = { readonly [name: string]: string | number | boolean | null };

/** Why a command was refused. Each reason has one meaning, for ever; programs branch on it. */
export type RefusalReason =
  /** No such workspace, host or image. */
  | 'NOT_FOUND'
  /** The id is taken by something else. */
  | 'ALREADY_EXISTS'
  /** The command id was used before, for something else. */
  | 'COMMAND_ID_REUSED'
  /** The workspace is retired; nothing happens to it any more. */
  | 'RETIRED'
  /** Its lifetime is over; set-lifetime revives it. */
  | 'EXPIRED'
  /** Somebody else holds the lock. */
  | 'LOCK_HELD'
  /** Nobody holds the lock, and this needs a holder. */
  | 'LOCK_FREE'
  /** An intent is open: its outcome, or a cancel, comes first. */
  | 'INTENT_OPEN'
  /** There is no open intent to cancel. */
  | 'NO_INTENT'
  /** It must be on a host for this. */
  | 'NOT_DEPLOYED'
  /** It must not be on a host for this. */
  | 'DEPLOYED'
  /** The guest must be running for this. */
  | 'NOT_RUNNING'
  /** The guest must not be running for this. */
  | 'RUNNING'
  /** The guest must be paused for this. */
  | 'NOT_PAUSED'
  /** The guest is frozen in memory: unpause continues it, stop ends it. */
  | 'PAUSED_IN_MEMORY'
  /** There is no hot image to start from. */
  | 'NO_HOT_IMAGE'
  /** Its hot image belongs to its present image; starting it from the image gives the hot image up. */
  | 'HAS_HOT_IMAGE'
  /** Nobody knows whether the guest runs: stop, cancel, steal-lock or override. */
  | 'POWER_UNKNOWN'
  /** Corrupted: repair or retire. */
  | 'CORRUPTED'
  /** The repository has no image that the description asks for. */
  | 'NO_IMAGE'
  /** No host can take it. */
  | 'NO_HOST'
  /** The host cannot take it. */
  | 'HOST_UNSUITABLE'
  /** A value makes no sense: the facts name it. */
  | 'INVALID';

/** A refusal shows both sides of the conflict. */
export interface Refusal {
  readonly reason: RefusalReason;
  readonly asked: Facts;
  readonly found: Facts;
}

export type Decision<E> =
  | { readonly kind: 'accepted'; readonly events: readonly E[] }
  /** It is so already: neither an error nor an event. */
  | { readonly kind: 'already-done' }
  | { readonly kind: 'refused'; readonly refusal: Refusal };

export const alreadyDone = { kind: 'already-done' } as const;

export function accept<E>(...events: readonly E[]): Decision<E> {
  return { kind: 'accepted', events };
}

export function refuse(reason: RefusalReason, asked: Facts = {}, found: Facts = {}): Decision<never> {
  return { kind: 'refused', refusal: { reason, asked, found } };
}

/** For the default branch of a switch: the compiler proves that nothing gets here. */
export function unreachable(value: never): never {
  throw new Error(`unreachable: ${JSON.stringify(value)}`);
}
