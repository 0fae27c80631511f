/**
 * What the facade says no with: the gRPC status, details and trailers by which the official clients know each refusal
 * (EventStoreDB's server, gRPC constants "exception", "stream-name", …), and the google.rpc.Status that BatchAppend carries
 * in their place. Whatever the store throws comes out here as one of them, and nothing of the inside comes out at all.
 */
import { Metadata, status as code } from '@grpc/grpc-js';
import type { Logger } from '@vw/runtime';
import {
  AppendTooLarge,
  EventCorrupted,
  StoreUnavailable,
  StreamTombstoned,
  WrongExpectedRevision,
} from '../errors.js';
import type { Expectation } from '../log.js';
import { maxAppendBytes } from '../port.js';
import type { ExpectedRevision } from '../port.js';
import { any, CONTENT_TYPE_KEY, empty, shared, status, streamIdentifier, textOf, TYPE_KEY } from '../protocol/index.js';

/** An answer, not a fault: grpc-js sends its code, details and trailers as they are. */
export class Refusal extends Error {
  override readonly name = 'Refusal';
  readonly details: string;
  readonly metadata = new Metadata();

  constructor(
    readonly code: code,
    details: string,
    trailers: Readonly<Record<string, string>> = {},
    options?: ErrorOptions,
  ) {
    super(details, options);
    this.details = details.toWellFormed();
    for (const [key, value] of Object.entries(trailers)) this.metadata.set(key, printable(value));
  }
}

export const accessDenied = (): Refusal =>
  new Refusal(code.PERMISSION_DENIED, 'Access Denied', { exception: 'access-denied' });

export const unauthenticated = (): Refusal => new Refusal(code.UNAUTHENTICATED, 'Unauthenticated');

export const invalidArgument = (details: string): Refusal => new Refusal(code.INVALID_ARGUMENT, details);

const unavailable = (details: string, cause?: unknown): Refusal =>
  new Refusal(code.UNAVAILABLE, details, {}, { cause });

export const shuttingDown = (): Refusal => unavailable('the server is shutting down');

export const exhausted = (details: string): Refusal => new Refusal(code.RESOURCE_EXHAUSTED, details);

export const deadlinePassed = (): Refusal => new Refusal(code.DEADLINE_EXCEEDED, 'Timeout');

export const streamDeleted = (stream: string): Refusal =>
  new Refusal(code.FAILED_PRECONDITION, `Event stream '${stream}' is deleted.`, {
    exception: 'stream-deleted',
    'stream-name': stream,
  });

export const appendTooLarge = (): Refusal =>
  new Refusal(code.INVALID_ARGUMENT, `Maximum Append Size of ${maxAppendBytes} Exceeded.`, {
    exception: 'maximum-append-size-exceeded',
    'maximum-append-size': String(maxAppendBytes),
  });

export const metadataMissing = (property: string): Refusal =>
  new Refusal(code.INVALID_ARGUMENT, `Required Metadata Property '${property}' is missing`, {
    exception: 'missing-required-metadata-property',
    'required-metadata-properties': `${TYPE_KEY},${CONTENT_TYPE_KEY}`,
  });

/** As Delete and Tombstone say it, with the numbers that the protocol gives to what is no revision. */
export function wrongExpectedVersion(operation: string, { stream, expected, actual }: WrongExpectedRevision): Refusal {
  const details =
    `${operation} failed due to WrongExpectedVersion. ` +
    `Stream: ${stream}, Expected version: ${versionText(expected)}, Actual version: ${versionText(actual)}`;
  return new Refusal(code.FAILED_PRECONDITION, details, {
    exception: 'wrong-expected-version',
    'stream-name': stream,
    'expected-version': versionText(expected),
    'actual-version': versionText(actual),
  });
}

/** The refusal that an error is to the caller. One that nobody expected is logged, and told without its text. */
export function refusalOf(error: unknown, logger: Logger, operation = 'Append'): Refusal {
  if (error instanceof Refusal) return error;
  if (error instanceof WrongExpectedRevision) return wrongExpectedVersion(operation, error);
  if (error instanceof StreamTombstoned) return streamDeleted(error.stream);
  if (error instanceof AppendTooLarge) return appendTooLarge();
  if (error instanceof RangeError) return invalidArgument(error.message);
  if (error instanceof EventCorrupted) {
    logger.error({ err: error }, 'a corrupted event was asked for');
    return new Refusal(code.DATA_LOSS, error.message, {}, { cause: error });
  }
  if (error instanceof StoreUnavailable) {
    logger.warn({ err: error }, 'the store could not serve a call');
    return unavailable('the store is not available', error);
  }
  logger.error({ err: error }, 'a call failed');
  return new Refusal(code.INTERNAL, 'internal error', {}, { cause: error });
}

/** The status of one append of a BatchAppend: the clients tell them apart by the type of what is packed in it. */
export function batchStatusOf(error: unknown, stream: string, logger: Logger): status.Status {
  if (error instanceof WrongExpectedRevision) {
    return packed(code.ALREADY_EXISTS, 'WrongExpectedVersion', wrongVersion(error.expected, error.actual));
  }
  if (error instanceof StreamTombstoned) {
    const detail = new shared.StreamDeleted();
    detail.setStreamIdentifier(streamIdentifier(stream));
    return packed(code.NOT_FOUND, 'StreamDeleted', detail);
  }
  const refusal = refusalOf(error, logger);
  switch (refusal.metadata.get('exception')[0]) {
    case 'access-denied':
      return packed(code.PERMISSION_DENIED, 'AccessDenied', new shared.AccessDenied());
    case 'maximum-append-size-exceeded': {
      const detail = new shared.MaximumAppendSizeExceeded();
      detail.setMaxappendsize(maxAppendBytes);
      return packed(code.INVALID_ARGUMENT, 'MaximumAppendSizeExceeded', detail);
    }
    default:
  }
  switch (refusal.code) {
    case code.DEADLINE_EXCEEDED:
      return packed(code.DEADLINE_EXCEEDED, 'Timeout', new shared.Timeout());
    case code.INVALID_ARGUMENT:
    case code.RESOURCE_EXHAUSTED: {
      const detail = new shared.BadRequest();
      detail.setMessage(refusal.details);
      return packed(refusal.code, 'BadRequest', detail, refusal.details);
    }
    case code.INTERNAL:
      return packed(code.UNKNOWN, 'Unknown', new shared.Unknown());
    default:
      return statusOf(refusal.code, refusal.details, new empty.Empty(), 'google.protobuf.Empty');
  }
}

interface Detail {
  serializeBinary(): Uint8Array;
}

function packed(code: number, name: string, detail: Detail, reason?: string): status.Status {
  return statusOf(code, reason ? `${name}: ${reason}` : name, detail, `event_store.client.${name}`);
}

/** google.rpc counts its codes as gRPC does. */
function statusOf(code: number, text: string, detail: Detail, type: string): status.Status {
  const wrapped = new any.Any();
  wrapped.pack(detail.serializeBinary(), type);
  const message = new status.Status();
  message.setCode(code);
  message.setMessage(text);
  message.setDetails(wrapped);
  return message;
}

function wrongVersion(expected: Expectation, actual: ExpectedRevision): shared.WrongExpectedVersion {
  const detail = new shared.WrongExpectedVersion();
  if (actual === 'no-stream') detail.setCurrentNoStream(new empty.Empty());
  else detail.setCurrentStreamRevision(textOf(actual));
  if (expected === 'any') detail.setExpectedAny(new empty.Empty());
  else if (expected === 'stream-exists') detail.setExpectedStreamExists(new empty.Empty());
  else if (expected === 'no-stream') detail.setExpectedNoStream(new empty.Empty());
  else detail.setExpectedStreamPosition(textOf(expected));
  return detail;
}

/** EventStoreDB's own numbers for expectations that name no revision. */
function versionText(version: Expectation): string {
  switch (version) {
    case 'no-stream':
      return '-1';
    case 'any':
      return '-2';
    case 'stream-exists':
      return '-4';
    default:
      return textOf(version);
  }
}

/** Trailers are printable ASCII; a name that is not is told as a URI would. */
function printable(value: string): string {
  return /^[ -~]*$/.test(value) ? value : encodeURIComponent(value.toWellFormed());
}
