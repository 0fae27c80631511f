/**
 * Streams.Append: options first, then events, one append. Nothing is written before the client has said that it was all;
 * what is too large is refused while it comes in, so that no call holds more than one append may have; what is not finished
 * in time is refused as well; and what is broken off is not written, not even in part.
 */
import type { handleClientStreamingCall } from '@grpc/grpc-js';
import { WrongExpectedRevision } from '../errors.js';
import type { Expectation, WriteResult } from '../log.js';
import { appendBytes, maxAppendBytes } from '../port.js';
import type { NewEvent } from '../port.js';
import { shared, streams, textOf } from '../protocol/index.js';
import { Allowances, heldBytesOf, PATIENCE_MS } from './allowance.js';
import type { Measure } from './allowance.js';
import { expectationOf } from './expectations.js';
import { Patience } from './patience.js';
import { proposedEvent, targetOf } from './proposals.js';
import { appendTooLarge, deadlinePassed, invalidArgument, refusalOf, shuttingDown } from './refusals.js';
import type { Room } from './room.js';
import { nextTurn } from '../turn.js';

interface Target {
  readonly stream: string;
  readonly expected: Expectation;
}

/** How many appends is bounded by how many calls a connection may have. */
const UNFINISHED: Measure = { appends: Infinity, bytes: 64 * 1024 * 1024, overallBytes: 128 * 1024 * 1024 };

export function append(room: Room): handleClientStreamingCall<streams.AppendReq, streams.AppendResp> {
  const allowances = new Allowances(UNFINISHED);
  const patience = new Patience(room.clock, room.timers, room.closing, PATIENCE_MS);
  return (call, answer) => {
    const peer = call.getPeer();
    const allowance = allowances.enter(peer);
    const events: NewEvent[] = [];
    let target: Target | undefined;
    let sizeBytes = 0;
    let heldBytes: number | undefined;
    let open = true;

    const begin = (options: streams.AppendReq.Options | undefined): Target => {
      if (!options) throw invalidArgument('the first message of an append is its options');
      const stream = targetOf(options);
      const expected = expectationOf(options);
      room.access.require(room.access.callerOf(call.metadata), 'write', stream);
      return { stream, expected };
    };
    const add = (message: streams.AppendReq.ProposedMessage | undefined): void => {
      if (!message) throw invalidArgument('after the first message of an append, each is a proposed_message');
      const event = proposedEvent(message);
      sizeBytes += appendBytes([event]);
      if (sizeBytes > maxAppendBytes) throw appendTooLarge();
      const bytes = heldBytesOf([event]);
      allowance.take(heldBytes === undefined ? 1 : 0, bytes);
      heldBytes = (heldBytes ?? 0) + bytes;
      events.push(event);
    };
    /** @returns false when it was so before */
    const finish = (): boolean => {
      if (!open) return false;
      open = false;
      patience.end(giveUp);
      if (heldBytes !== undefined) allowance.giveBack(heldBytes);
      allowances.leave(peer);
      return true;
    };
    const refuse = (error: unknown): void => {
      if (finish()) answer(refusalOf(error, room.logger));
    };
    const giveUp = (): void => refuse(room.closing.aborted ? shuttingDown() : deadlinePassed());
    const write = async (): Promise<void> => {
      // A call that its client breaks off ends like one that is complete; only in the next turn is it known to be cancelled.
      await nextTurn();
      if (!finish()) return;
      try {
        if (!target) throw invalidArgument('an append begins with its options');
        answer(null, success(await room.log.write(target.stream, target.expected, events)));
      } catch (error) {
        if (error instanceof WrongExpectedRevision) answer(null, wrongExpectedVersion(error));
        else answer(refusalOf(error, room.logger));
      }
    };

    patience.begin(giveUp);
    call.on('data', (request: streams.AppendReq) => {
      if (!open) return;
      try {
        if (target) add(request.getProposedMessage());
        else target = begin(request.getOptions());
      } catch (error) {
        refuse(error);
      }
    });
    call.on('end', () => void write());
    call.on('cancelled', finish);
    call.on('error', finish);
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
