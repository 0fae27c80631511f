/**
 * What gRPC and the client report, in the port's words. Nothing of theirs passes this door but as the cause of an error of ours.
 *
 * Codes are those of gRPC (grpc/grpc doc/statuscodes.md); the trailer `exception` is EventStoreDB's own.
 */
import { Metadata, status as codes } from '@grpc/grpc-js';
import { AppendTooLarge, StoreUnavailable, StreamTombstoned } from '../errors.js';
import { maxAppendBytes } from '../port.js';

/** Why a closed store takes and gives nothing more. */
export function closedStore(): StoreUnavailable {
  return new StoreUnavailable('the connection to KurrentDB is closed');
}

/** What this side noticed itself, in gRPC's shape so that it is judged like what the server says: it will pass. */
export function passing(details: string): Error {
  return Object.assign(new Error(details), { code: codes.UNAVAILABLE, details, metadata: new Metadata() });
}

/**
 * Whether the same call may succeed a little later: the connection, the node or its role will change. With an append
 * it also means that nobody knows whether it took effect.
 */
export function isPassing(failure: unknown): boolean {
  const { code, details, exception } = seen(failure);
  // The client tells a failed discovery, and nothing else, by a plain error.
  if (code === undefined) return details.startsWith('Failed to discover');
  switch (code) {
    case codes.UNAVAILABLE:
      return !isAboutTls(details);
    case codes.NOT_FOUND:
      return exception === 'not-leader';
    case codes.ABORTED:
    case codes.CANCELLED:
    case codes.DEADLINE_EXCEEDED:
    case codes.INTERNAL:
    case codes.RESOURCE_EXHAUSTED:
    case codes.UNKNOWN:
      return true;
    default:
      return false;
  }
}

/** The failure of a call about one stream. */
export function streamFailure(failure: unknown, stream: string): Error {
  const { code, exception } = seen(failure);
  if (code === codes.FAILED_PRECONDITION && exception === 'stream-deleted')
    return new StreamTombstoned(stream, { cause: failure });
  return unavailable(failure);
}

/** The failure of an append of so many bytes to a stream. */
export function appendFailure(failure: unknown, stream: string, sizeBytes: number): Error {
  const { exception, metadata } = seen(failure);
  if (exception === 'maximum-append-size-exceeded') {
    const limit = Number(metadata?.get('maximum-append-size')[0] ?? maxAppendBytes);
    return new AppendTooLarge(stream, sizeBytes, limit);
  }
  return streamFailure(failure, stream);
}

/** The failure of any call: what happened, and what to do about it. */
export function unavailable(failure: unknown): Error {
  if (failure instanceof StoreUnavailable) return failure;
  return new StoreUnavailable(advice(failure), { cause: failure });
}

function advice(failure: unknown): string {
  const { code, details } = seen(failure);
  switch (code) {
    case undefined:
      return details.startsWith('Failed to discover')
        ? 'no node of the KurrentDB cluster says who leads it: are the hosts of the connection string right, and is the cluster up?'
        : `what KurrentDB says cannot be understood (${details})`;
    case codes.UNAUTHENTICATED:
      return 'KurrentDB does not know this name and password: correct those of the connection string';
    case codes.PERMISSION_DENIED:
      return 'KurrentDB denies access: the user of the connection string must be allowed to read $all, and to read and write the streams';
    case codes.UNIMPLEMENTED:
      return 'what answers is no KurrentDB, or one older than version 21.10';
    case codes.UNAVAILABLE:
      return isAboutTls(details)
        ? `no trusted TLS connection to KurrentDB: name the authority of its certificate with tlsCAFile=FILE, or say tls=false for a server without TLS (${plainly(details)})`
        : `KurrentDB is not available (${plainly(details)})`;
    default:
      return `KurrentDB could not do it (${details})`;
  }
}

/** grpc-js puts words of its own around what the system says. */
function plainly(details: string): string {
  return details
    .replace(/^No connection established\. Last error: (?:Error: )?/, '')
    .replace(/\.? ?Resolution note: ?$/, '');
}

function isAboutTls(details: string): boolean {
  return /certificate|self.signed|altname|CERT_|ERR_SSL|ERR_TLS|SSL routines|wrong version number|EPROTO/i.test(
    details,
  );
}

interface Seen {
  readonly code: codes | undefined;
  readonly details: string;
  readonly exception: string | undefined;
  readonly metadata: Metadata | undefined;
}

function seen(failure: unknown): Seen {
  const { code, details, message, metadata } = failure as Partial<
    Record<'code' | 'details' | 'message' | 'metadata', unknown>
  >;
  const trailers = metadata instanceof Metadata ? metadata : undefined;
  return {
    code: typeof code === 'number' ? code : undefined,
    details: String(details ?? message ?? failure),
    exception: trailers?.get('exception')[0]?.toString(),
    metadata: trailers,
  };
}
