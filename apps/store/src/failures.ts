/**
 * Everything that ends a run early, by its exit code. Commands throw these, or errors of the libraries; only `run` catches them.
 * The codes are those of `vw`, so that a script may ask both in the same way.
 */
import { EventCorrupted, StoreInUse, StoreUnavailable, UnknownStoreFormat } from '@vw/event-store';
import { ViewsInUse } from '@vw/projections';
import { BadLine } from './transfer/lines.js';

export const exitCodes = {
  done: 0,
  /** What was looked at is not as it should be; `verify` has said what. */
  damaged: 1,
  usage: 2,
  refused: 3,
  notFound: 4,
  unreachable: 5,
  /** A fault of vw itself; EX_SOFTWARE of sysexits.h. */
  fault: 70,
} as const;

type Reason = Exclude<keyof typeof exitCodes, 'done' | 'fault'>;

const words: { readonly [reason in Reason]: string } = {
  damaged: 'damaged',
  usage: 'usage',
  refused: 'refused',
  notFound: 'not found',
  unreachable: 'unreachable',
};

export class Failure extends Error {
  constructor(
    readonly reason: Reason,
    message: string,
    options?: ErrorOptions,
  ) {
    super(message, options);
  }

  get exitCode(): number {
    return exitCodes[this.reason];
  }

  /** The sentence for people. */
  sentence(): string {
    return `${words[this.reason]}: ${this.message}`;
  }

  /** The document for programs (`--json`, on standard error). */
  document(): object {
    return { reason: this.reason.replace(/[A-Z]/g, '_$&').toUpperCase(), detail: this.message };
  }
}

/** What an error of a library means here; undefined for a fault of vw itself. */
export function failureOf(error: unknown): Failure | undefined {
  if (error instanceof Failure) return error;
  if (error instanceof StoreInUse || error instanceof ViewsInUse) {
    return new Failure('refused', `${error.message}: stop the service first`, { cause: error });
  }
  if (error instanceof EventCorrupted) {
    return new Failure('damaged', `${error.message}; vw store verify tells all that is`, { cause: error });
  }
  if (error instanceof BadLine) return new Failure('refused', error.message, { cause: error });
  if (error instanceof UnknownStoreFormat) return new Failure('refused', error.message, { cause: error });
  if (error instanceof StoreUnavailable) return new Failure('unreachable', error.message, { cause: error });
  const system = error as NodeJS.ErrnoException;
  if (error instanceof Error && system.syscall !== undefined) {
    const where = system.path ?? '';
    const reason = system.code === 'ENOENT' || system.code === 'ENOTDIR' ? 'notFound' : 'refused';
    return new Failure(reason, `${where ? `${where}: ` : ''}${whyOf(system)}`, { cause: error });
  }
  return undefined;
}

const why = new Map([
  ['ENOENT', 'there is no such file or folder'],
  ['ENOTDIR', 'there is no such folder'],
  ['EISDIR', 'it is a folder'],
  ['EACCES', 'this user may not use it'],
  ['EPERM', 'this user may not use it'],
  ['EROFS', 'the disk is read-only'],
  ['ENOSPC', 'the disk is full'],
  ['EEXIST', 'it is there already'],
]);

function whyOf({ code, message }: NodeJS.ErrnoException): string {
  return (code !== undefined && why.get(code)) || message;
}
