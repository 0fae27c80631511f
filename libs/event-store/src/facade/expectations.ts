/** What a writer expects of a stream, in the four ways that the protocol has for it; there is no fifth that means "no check". */
import type { Expectation } from '../log.js';
import { END, numberOf } from '../protocol/index.js';
import type { streams } from '../protocol/index.js';
import { invalidArgument } from './refusals.js';

type Options = streams.AppendReq.Options | streams.DeleteReq.Options | streams.TombstoneReq.Options;

/** @throws Refusal, RangeError when there is none or it is no revision */
export function expectationOf(options: Options): Expectation {
  if (options.hasRevision()) return revision(options.getRevision());
  return weakExpectation(options, 'expected_stream_revision');
}

/** BatchAppend calls the same things by other names. */
export function batchExpectationOf(options: streams.BatchAppendReq.Options): Expectation {
  if (options.hasStreamPosition()) return revision(options.getStreamPosition());
  return weakExpectation(options, 'expected_stream_position');
}

function weakExpectation(options: Options | streams.BatchAppendReq.Options, field: string): Expectation {
  if (options.hasNoStream()) return 'no-stream';
  if (options.hasAny()) return 'any';
  if (options.hasStreamExists()) return 'stream-exists';
  throw invalidArgument(`${field} is not set`);
}

function revision(text: string): Expectation {
  const number = numberOf(text);
  return number === END ? 'no-stream' : number;
}
