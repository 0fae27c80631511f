/**
 * Until when an append of a BatchAppend may take. The protocol has two fields for it, a timestamp (6) and, since 22.10, a
 * duration (7); the client package's generated classes know the first only and skip the second, so that one is read here
 * from the bytes. Nothing else of the request is read twice.
 */
import { streamsServices } from '../protocol/index.js';
import type { streams } from '../protocol/index.js';
import { strict, StrictReader } from './strict-reader.js';

const OPTIONS_FIELD = 2;
const DURATION_FIELD = 7;
const SECONDS_FIELD = 1;
const NANOS_FIELD = 2;

/** Milliseconds that the client's duration leaves; absent where it sent none. */
const durations = new WeakMap<streams.BatchAppendReq, number>();

const known = strict(streamsServices.StreamsService.batchAppend);

/** The method's definition, reading also the field that its classes do not know. */
export const batchAppendDefinition = {
  ...known,
  requestDeserialize(bytes: Buffer): streams.BatchAppendReq {
    const request = known.requestDeserialize(bytes);
    if (request.hasOptions() && !request.getOptions()?.hasDeadline()) {
      const durationMs = durationIn(bytes);
      if (durationMs !== undefined) durations.set(request, durationMs);
    }
    return request;
  },
};

/** Milliseconds from now until the deadline of the append that the request begins, not above 0 when it has passed; Infinity without one. */
export function remainingMs(request: streams.BatchAppendReq, now: number): number {
  const timestamp = request.getOptions()?.getDeadline();
  if (timestamp) return timestamp.getSeconds() * 1000 + timestamp.getNanos() / 1e6 - now;
  return durations.get(request) ?? Number.POSITIVE_INFINITY;
}

function durationIn(bytes: Uint8Array): number | undefined {
  const options = lastField(bytes, OPTIONS_FIELD, (reader) => reader.readBytes());
  const duration = options && lastField(options, DURATION_FIELD, (reader) => reader.readBytes());
  if (!duration) return undefined;
  const seconds = lastField(duration, SECONDS_FIELD, (reader) => reader.readInt64()) ?? 0;
  const nanos = lastField(duration, NANOS_FIELD, (reader) => reader.readInt32()) ?? 0;
  return seconds * 1000 + nanos / 1e6;
}

/** The last of a field's values, as protobuf has it for a field that is there once. */
function lastField<T>(bytes: Uint8Array, field: number, read: (reader: StrictReader) => T): T | undefined {
  const reader = new StrictReader(new Uint8Array(bytes));
  let value: T | undefined;
  while (reader.nextField()) {
    if (reader.getFieldNumber() === field) value = read(reader);
    else reader.skipField();
  }
  return value;
}
