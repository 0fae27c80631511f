/** Mistakes of the caller, found before anything is sent or written, and the same in every adapter. */
import { AppendTooLarge } from './errors.js';
import type { Expectation } from './log.js';
import type { NewEvent } from './port.js';
import { appendBytes, maxAppendBytes } from './port.js';

/** RFC 9562, section 4: any version, any variant, in any case. */
const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;

const MOST_CHARACTERS = 1024;

/** @throws RangeError */
export function checkTarget(stream: string, expected: Expectation): void {
  checkText('the name of a stream', stream);
  if (typeof expected === 'number' && !(Number.isSafeInteger(expected) && expected >= 0)) {
    throw new RangeError(`${expected} is no revision of stream ${stream}`);
  }
}

/** @throws RangeError, AppendTooLarge */
export function checkEvents(stream: string, events: readonly NewEvent[]): void {
  for (const { id, type } of events) {
    checkText('the type of an event', type);
    if (!UUID.test(id)) throw new RangeError(`${id} is no id for an event of stream ${stream}: it is no UUID`);
  }
  const sizeBytes = appendBytes(events);
  if (sizeBytes > maxAppendBytes) throw new AppendTooLarge(stream, sizeBytes, maxAppendBytes);
}

/** The port's append has something to append, which a write of EventStoreDB's protocol need not. @throws RangeError */
export function checkNotEmpty(stream: string, events: readonly NewEvent[]): void {
  if (events.length === 0) throw new RangeError(`an append to stream ${stream} has no event`);
}

/** What every store gives back as it was: no lone surrogates, and nothing that ends a string elsewhere. */
function checkText(what: string, text: string): void {
  if (text.length === 0 || text.length > MOST_CHARACTERS) {
    throw new RangeError(`${what} has ${text.length} characters; it may have 1 to ${MOST_CHARACTERS}`);
  }
  if (text.includes('\u0000') || !text.isWellFormed()) {
    throw new RangeError(`${what} is no text: ${JSON.stringify(text)}`);
  }
}
