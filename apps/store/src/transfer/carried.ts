/**
 * What moves from one store to another: the streams of users, and the metadata streams of those. What else begins with `$` is a
 * store's own business and would mean nothing in another. A tombstone cannot be written through the port, so it stays behind too.
 */
import type { RecordedEvent } from '@vw/event-store';
import { TOMBSTONE_TYPE } from '@vw/event-store';

/** `$$name` is the metadata of the stream `name`. */
export function isCarriedStream(stream: string): boolean {
  return !stream.startsWith('$') || isMetadataStream(stream);
}

export function isMetadataStream(stream: string): boolean {
  return stream.startsWith('$$') && stream.length > 2 && stream[2] !== '$';
}

export function isTombstone({ type }: RecordedEvent): boolean {
  return type === TOMBSTONE_TYPE;
}

export function isCarried(event: RecordedEvent): boolean {
  return isCarriedStream(event.stream) && !isTombstone(event);
}

/** Whether both say the same, wherever and whenever each was written. */
export function isSame(one: RecordedEvent, other: RecordedEvent): boolean {
  return (
    one.stream === other.stream &&
    one.revision === other.revision &&
    one.id === other.id &&
    one.type === other.type &&
    one.contentType === other.contentType &&
    Buffer.compare(one.data, other.data) === 0 &&
    Buffer.compare(one.metadata, other.metadata) === 0
  );
}
