/** What KurrentDB says to an append: in the body of `Append`, or as a `google.rpc.Status` in the answer to a part of a batch. */
import { AppendTooLarge, StoreUnavailable, StreamTombstoned, WrongExpectedRevision } from '../errors.js';
import type { ExpectedRevision, Position } from '../port.js';
import type { streams } from '../protocol/index.js';
import { numberOf, shared } from '../protocol/index.js';
import { passing } from './failures.js';

/** `position` is absent where the server has forgotten it: of an append repeated while, or long after, it was first made. */
export type Answer =
  | { readonly kind: 'appended'; readonly revision: number; readonly position: Position | undefined }
  | { readonly kind: 'refused'; readonly error: Error }
  /** Nobody knows whether it took effect. */
  | { readonly kind: 'unknown'; readonly failure: unknown };

export interface Question {
  readonly stream: string;
  readonly expected: ExpectedRevision;
  readonly sizeBytes: number;
}

export function answerOfBatch(response: streams.BatchAppendResp, question: Question): Answer {
  const success = response.getSuccess();
  if (success) return appended(success.getCurrentRevision(), success.getPosition()?.getCommitPosition());
  const error = response.getError();
  const details = error?.getDetails();
  const bytes = details?.getValue_asU8() ?? new Uint8Array();
  const said = error?.getMessage() ?? '';
  switch (details?.getTypeName()) {
    case 'event_store.client.WrongExpectedVersion': {
      const wrong = shared.WrongExpectedVersion.deserializeBinary(bytes);
      return wrongRevision(question, wrong.hasCurrentStreamRevision() ? wrong.getCurrentStreamRevision() : undefined);
    }
    case 'event_store.client.StreamDeleted':
      return { kind: 'refused', error: new StreamTombstoned(question.stream) };
    case 'event_store.client.MaximumAppendSizeExceeded': {
      const limit = shared.MaximumAppendSizeExceeded.deserializeBinary(bytes).getMaxappendsize();
      return { kind: 'refused', error: new AppendTooLarge(question.stream, question.sizeBytes, limit) };
    }
    case 'event_store.client.AccessDenied':
      return {
        kind: 'refused',
        error: new StoreUnavailable(`KurrentDB denies its user to write stream ${question.stream}`),
      };
    case 'event_store.client.BadRequest': {
      const reason = shared.BadRequest.deserializeBinary(bytes).getMessage();
      return {
        kind: 'refused',
        error: new StoreUnavailable(`KurrentDB refuses the append to ${question.stream}: ${reason || said}`),
      };
    }
    default:
      // Timeouts, a node that is busy, not ready or just no longer the leader, and whatever a newer server may say.
      return { kind: 'unknown', failure: passing(said) };
  }
}

export function answerOfAppend(response: streams.AppendResp, question: Question): Answer {
  const wrong = response.getWrongExpectedVersion();
  if (wrong) return wrongRevision(question, wrong.hasCurrentRevision() ? wrong.getCurrentRevision() : undefined);
  const success = response.getSuccess();
  if (!success) return { kind: 'unknown', failure: passing('an empty answer') };
  return appended(success.getCurrentRevision(), success.getPosition()?.getCommitPosition());
}

function appended(revision: string, commit: string | undefined): Answer {
  const position = commit === undefined ? Number.NaN : numberOf(commit);
  return {
    kind: 'appended',
    revision: numberOf(revision),
    position: Number.isSafeInteger(position) ? (position as Position) : undefined,
  };
}

function wrongRevision({ stream, expected }: Question, current: string | undefined): Answer {
  const actual = current === undefined ? 'no-stream' : numberOf(current);
  return { kind: 'refused', error: new WrongExpectedRevision(stream, expected, actual) };
}
