/**
 * Streams.Append: options first, then events, one append. Nothing is written before the client has said that it was all;
 * what is too large is refused while it comes in, so that no call holds more than one append may have.
 */
import type { handleClientStreamingCall } from '@grpc/grpc-js';
import { WrongExpectedRevision } from '../errors.js';
import type { Expectation, WriteResult } from '../log.js';
import { appendBytes, maxAppendBytes } from '../port.js';
import type { NewEvent } from '../port.js';
import { shared, streams, textOf } from '../protocol/index.js';
import { heldBytesOf, requireHoldable } from './allowance.js';
import { expectationOf } from './expectations.js';
import { proposedEvent, targetOf } from './proposals.js';
import { appendTooLarge, invalidArgument, refusalOf } from './refusals.js';
import type { Room } from './room.js';

interface Target {
  readonly stream: string;
  readonly expected: Expectation;
}

export function append(room: Room): handleClientStreamingCall<streams.AppendReq, streams.AppendResp> {
  return (call, answer) => {
    const events: NewEvent[] = [];
    let target: Target | undefined;
    let bytes = 0;
    let held = 0;
    let open = true;

    const refuse = (error: unknown): void => {
      if (!open) return;
      open = false;
      answer(refusalOf(error, room.logger));
    };
    const take = (request: streams.AppendReq): void => {
      const message = request.getProposedMessage();
      if (!target) target = begin(request.getOptions());
      else if (!message) throw invalidArgument('after the first message of an append, each is a proposed_message');
      else {
        const event = proposedEvent(message);
        bytes += appendBytes([event]);
        held += heldBytesOf([event]);
        if (bytes > maxAppendBytes) throw appendTooLarge();
        requireHoldable(held);
        events.push(event);
      }
    };
    const begin = (options: streams.AppendReq.Options | undefined): Target => {
      if (!options) throw invalidArgument('the first message of an append is its options');
      const stream = targetOf(options);
      const expected = expectationOf(options);
      room.access.require(room.access.callerOf(call.metadata), 'write', stream);
      return { stream, expected };
    };
    const write = async (): Promise<void> => {
      try {
        if (!target) throw invalidArgument('an append begins with its options');
        answer(null, success(await room.log.write(target.stream, target.expected, events)));
      } catch (error) {
        if (error instanceof WrongExpectedRevision) answer(null, wrongExpectedVersion(error));
        else answer(refusalOf(error, room.logger));
      }
    };

    call.on('data', (request: streams.AppendReq) => {
      if (!open) return;
      try {
        take(request);
      } catch (error) {
        refuse(error);
      }
    });
    call.on('end', () => {
      if (!open) return;
      open = false;
      void write();
    });
    call.on('cancelled', () => (open = false));
    call.on('error', () => (open = false));
  };
}

function success({ revision, position }: WriteResult): streams.AppendResp {
  const place = new streams.AppendResp.Position();
  const text = textOf(position);
  place.setCommitPosition(text);
  place.setPreparePosition(text);
  const result = new streams.AppendResp.Success();
  result.setPosition(place);
  if (revision === 'no-stream') result.setNoStream(new shared.Empty());
  else result.setCurrentRevision(textOf(revision));
  const answer = new streams.AppendResp();
  answer.setSuccess(result);
  return answer;
}

/** Told in the body of the answer; the fields of clients from before 20.10 are left out. */
function wrongExpectedVersion({ expected, actual }: WrongExpectedRevision): streams.AppendResp {
  const result = new streams.AppendResp.WrongExpectedVersion();
  if (actual === 'no-stream') result.setCurrentNoStream(new shared.Empty());
  else result.setCurrentRevision(textOf(actual));
  if (expected === 'any') result.setExpectedAny(new shared.Empty());
  else if (expected === 'stream-exists') result.setExpectedStreamExists(new shared.Empty());
  else if (expected === 'no-stream') result.setExpectedNoStream(new shared.Empty());
  else result.setExpectedRevision(textOf(expected));
  const answer = new streams.AppendResp();
  answer.setWrongExpectedVersion(result);
  return answer;
}
