/**
 * Everything that ends a run early, by its exit code. Commands throw these and only `run` catches them: a command line has one
 * caller, who reads one sentence and one number.
 */
import type { OperationView, Problem } from '@vw/contracts';
import { explain } from './output/refusal.js';

export const exitCodes = {
  done: 0,
  /** A fault of vw itself. */
  bug: 1,
  usage: 2,
  refused: 3,
  notFound: 4,
  unreachable: 5,
  timedOut: 6,
  /** As shells count SIGINT. */
  interrupted: 130,
} as const;

export abstract class Failure extends Error {
  abstract readonly exitCode: number;
  /** The sentence for people. */
  abstract sentence(): string;
  /** The document for programs (`--json`, on standard error). */
  abstract document(): object;
}

/** What was typed makes no sense. Nothing was sent. */
export class UsageFailure extends Failure {
  readonly exitCode = exitCodes.usage;

  sentence(): string {
    return `usage: ${this.message}`;
  }

  document(): object {
    return { reason: 'USAGE', detail: this.message };
  }
}

/** Why a file that was named cannot be read, in words. */
export function whyUnreadable(error: unknown): string {
  const { code, message } = error as NodeJS.ErrnoException;
  return (code !== undefined && unreadable.get(code)) || message;
}

const unreadable = new Map([
  ['ENOENT', 'there is no such file'],
  ['ENOTDIR', 'there is no such file'],
  ['EISDIR', 'it is a folder'],
  ['EACCES', 'it may not be read by this user'],
]);

const refusals = new Map<number, string>([
  [exitCodes.refused, 'refused'],
  [exitCodes.notFound, 'not found'],
  [exitCodes.unreachable, 'unreachable'],
  [exitCodes.timedOut, 'timed out'],
]);

/** The ledger answered, and said no. */
export class RefusedFailure extends Failure {
  constructor(readonly problem: Problem) {
    super(problem.detail);
  }

  get exitCode(): number {
    const { status, reason } = this.problem;
    if (status === 404 || reason === 'NOT_FOUND') return exitCodes.notFound;
    if (status === 408 || status === 504) return exitCodes.timedOut;
    return status >= 500 ? exitCodes.unreachable : exitCodes.refused;
  }

  sentence(): string {
    return `${refusals.get(this.exitCode)}: ${explain(this.problem)}`;
  }

  document(): object {
    return this.problem;
  }
}

/** No workspace goes by what was typed. */
export class NotFoundFailure extends Failure {
  readonly exitCode = exitCodes.notFound;

  sentence(): string {
    return `not found: ${this.message}`;
  }

  document(): object {
    return { reason: 'NOT_FOUND', detail: this.message };
  }
}

/** No answer, or none that a ledger would give. */
export class UnreachableFailure extends Failure {
  readonly exitCode = exitCodes.unreachable;

  sentence(): string {
    return `unreachable: ${this.message}`;
  }

  document(): object {
    return { reason: 'UNREACHABLE', detail: this.message };
  }
}

/** The operation ended, and not as it was asked. */
export class OperationFailure extends Failure {
  readonly exitCode = exitCodes.refused;

  constructor(
    readonly operation: OperationView,
    message: string,
  ) {
    super(message);
  }

  sentence(): string {
    return `failed: ${this.message}`;
  }

  document(): object {
    return { reason: 'OPERATION_FAILED', detail: this.message, operation: this.operation };
  }
}

/** The operation is still open, and goes on without us. */
export class TimedOutFailure extends Failure {
  readonly exitCode = exitCodes.timedOut;

  sentence(): string {
    return `timed out: ${this.message}`;
  }

  document(): object {
    return { reason: 'TIMED_OUT', detail: this.message };
  }
}
