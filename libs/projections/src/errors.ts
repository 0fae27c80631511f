/** What views may say, classed by what the caller can do about it. */
import type { RecordedEvent } from '@vw/event-store';

/** The log holds an event that this program cannot read: run a newer program. Stepping over it would make every view wrong. */
export class UndecodableEvent extends Error {
  override readonly name = 'UndecodableEvent';
  constructor(
    recorded: Pick<RecordedEvent, 'stream' | 'revision' | 'position' | 'type'>,
    why: string,
    options?: ErrorOptions,
  ) {
    const { stream, revision, position, type } = recorded;
    super(`event ${revision} of stream ${stream} (${type}, position ${position}) cannot be read: ${why}`, options);
  }
}

/** The log came in another order than it was written, or twice: the store breaks its contract. */
export class OutOfOrder extends Error {
  override readonly name = 'OutOfOrder';
}

/** The file of the views is not what was put there. Close the views and open them again: they start from zero. */
export class ViewsDamaged extends Error {
  override readonly name = 'ViewsDamaged';
}

/** The disk does not take or give the views now: full, read-only, failing. They stay as they were; run them again later. */
export class ViewsUnavailable extends Error {
  override readonly name = 'ViewsUnavailable';
}

/** Another process has these views open: each process needs a file of its own. */
export class ViewsInUse extends Error {
  override readonly name = 'ViewsInUse';
  constructor(
    readonly file: string,
    options?: ErrorOptions,
  ) {
    super(`the views in ${file} are in use by another process or another opening of them`, options);
  }
}

/** The cursor was not given by this query. */
export class UnknownCursor extends Error {
  override readonly name = 'UnknownCursor';
  constructor(readonly cursor: string) {
    super(`'${cursor}' is not a cursor of this query`);
  }
}
