/** What a store may say, classed by what the caller can do about it. */
import type { Expectation } from './log.js';
import type { ExpectedRevision } from './port.js';

/** Somebody else appended first (or has the ids): read again, decide again. */
export class WrongExpectedRevision extends Error {
  override readonly name = 'WrongExpectedRevision';
  constructor(
    readonly stream: string,
    readonly expected: Expectation,
    readonly actual: ExpectedRevision,
  ) {
    super(
      expected === actual
        ? `stream ${stream} is at revision ${actual} as expected, but the append repeats an event id`
        : `stream ${stream} is at revision ${actual}, the writer expected ${expected}`,
    );
  }
}

/** The append will never fit: make the events smaller, or append fewer at once. */
export class AppendTooLarge extends Error {
  override readonly name = 'AppendTooLarge';
  constructor(
    readonly stream: string,
    readonly sizeBytes: number,
    readonly limitBytes: number,
  ) {
    super(`an append to stream ${stream} has ${sizeBytes} bytes; the store takes ${limitBytes}`);
  }
}

/** The stream was deleted for ever: nothing can be read from it or appended to it; take another name. */
export class StreamTombstoned extends Error {
  override readonly name = 'StreamTombstoned';
  constructor(
    readonly stream: string,
    options?: ErrorOptions,
  ) {
    super(`stream ${stream} was deleted for ever`, options);
  }
}

/** The store cannot serve now; the cause says why. Nothing was appended, or the same append repeated will tell. */
export class StoreUnavailable extends Error {
  override readonly name = 'StoreUnavailable';
  /** The append that it answers is surely not in the store; false where nobody knows. */
  readonly nothingAppended: boolean;

  constructor(message: string, options?: ErrorOptions & { readonly nothingAppended?: boolean }) {
    super(message, options);
    this.nothingAppended = options?.nothingAppended ?? false;
  }
}

/** Another process has this store open. */
export class StoreInUse extends Error {
  override readonly name = 'StoreInUse';
  constructor(
    readonly path: string,
    options?: ErrorOptions,
  ) {
    super(`${path} is in use by another process`, options);
  }
}

/** What is in the file is not what was put there: restore it from a copy. The store serves every other event. */
export class EventCorrupted extends Error {
  override readonly name = 'EventCorrupted';
  constructor(
    readonly stream: string,
    readonly revision: number,
    readonly damage: 'checksum' | 'missing',
  ) {
    super(
      damage === 'missing'
        ? `event ${revision} of stream ${stream} is missing, though later ones are there`
        : `event ${revision} of stream ${stream} does not match the checksum it was stored with`,
    );
  }
}

/** The file is no store of ours, or one of a newer format: open it with the program that wrote it. */
export class UnknownStoreFormat extends Error {
  override readonly name = 'UnknownStoreFormat';
  constructor(
    readonly path: string,
    reason: string,
    options?: ErrorOptions,
  ) {
    super(`${path} cannot be opened: ${reason}`, options);
  }
}
