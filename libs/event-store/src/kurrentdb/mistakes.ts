/** Mistakes of the caller, found before anything is sent; the same that the embedded store finds. */
import { AppendTooLarge } from '../errors.js';
import type { ExpectedRevision, NewEvent } from '../port.js';
import { appendBytes, maxAppendBytes } from '../port.js';

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;
const MOST_TYPE_CHARACTERS = 1024;

/** @throws RangeError, AppendTooLarge */
export function checkAppend(stream: string, expected: ExpectedRevision, events: readonly NewEvent[]): void {
  if (stream === '') throw new RangeError('a stream needs a name');
  if (events.length === 0) throw new RangeError(`an append to stream ${stream} has no event`);
  if (expected !== 'no-stream' && !(Number.isSafeInteger(expected) && expected >= 0)) {
    throw new RangeError(`${expected} is no revision of stream ${stream}`);
  }
  for (const { id, type } of events) {
    if (!UUID.test(id)) throw new RangeError(`'${id}' is no UUID`);
    if (type.length === 0 || type.length > MOST_TYPE_CHARACTERS) {
      throw new RangeError(
        `the type of an event has ${type.length} characters; it should have 1 to ${MOST_TYPE_CHARACTERS}`,
      );
    }
  }
  const sizeBytes = appendBytes(events);
  if (sizeBytes > maxAppendBytes) throw new AppendTooLarge(stream, sizeBytes, maxAppendBytes);
}
