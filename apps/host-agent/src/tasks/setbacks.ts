/**
 * How a task can fail, by what it means. What the adapters of VMM and images throw is classed here, and only here.
 */
import type { FailureClass } from '@vw/contracts';
import {
  GuestNotStarted,
  IncompatibleHotImage,
  NoSuchGuest,
  NotPaused,
  ObservationImpossible,
  WrongEpoch,
} from '@vw/hypervisors';
import { ImageCorrupted, ImageNotFound, ImageRefused, ImageRepositoryUnavailable, ImageTooLarge } from '@vw/images';
import { JournalUnavailable } from '../journal/index.js';

/** It was given up while its effect could still be prevented. */
export class Cancelled extends Error {
  override readonly name = 'Cancelled';
  constructor() {
    super('the task was cancelled before it had an effect');
  }
}

/** The deployment that the task presupposes is not on this host. */
export class NotDeployed extends Error {
  override readonly name = 'NotDeployed';
}

/** The guest is not in the state that the task presupposes, or did not come into the one that it asks for. */
export class WrongPower extends Error {
  override readonly name = 'WrongPower';
}

/** What is true cannot be told yet: the whole task is to be performed again, later. Nothing negative may be said before. */
export class Unconfirmed extends Error {
  override readonly name = 'Unconfirmed';
}

/** Whether nothing can be said yet (as against: whether something failed). */
export function mustWait(error: unknown): boolean {
  return error instanceof Unconfirmed || error instanceof ObservationImpossible || error instanceof JournalUnavailable;
}

export function failureClassOf(error: unknown): FailureClass {
  if (error instanceof Cancelled) return 'cancelled';
  if (error instanceof GuestNotStarted) return error.stateIsBad ? 'corrupt' : 'vmm';
  if (error instanceof ImageCorrupted) return 'corrupt';
  if (error instanceof ImageNotFound || error instanceof ImageRefused || error instanceof ImageTooLarge) return 'image';
  if (error instanceof IncompatibleHotImage) return 'image';
  if (error instanceof NoSuchGuest || error instanceof NotPaused || error instanceof WrongPower) return 'guest';
  if (error instanceof WrongEpoch) return 'stale-epoch';
  if (error instanceof ImageRepositoryUnavailable || error instanceof NotDeployed || isSystemError(error))
    return 'host';
  return 'vmm';
}

const LONGEST_REASON = 1000;

export function reasonOf(error: unknown): string {
  const words = error instanceof Error ? error.message : String(error);
  const cause = error instanceof Error && error.cause instanceof Error ? `: ${error.cause.message}` : '';
  return `${words}${cause}`.slice(0, LONGEST_REASON);
}

/** Disk full, no permission, no such file: what Node reports with the operating system's own code. */
function isSystemError(error: unknown): boolean {
  return error instanceof Error && typeof (error as NodeJS.ErrnoException).syscall === 'string';
}
