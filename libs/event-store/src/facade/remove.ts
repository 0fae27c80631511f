/** Streams.Delete and Streams.Tombstone: alike but for how deep they cut, so they are one. */
import type { handleUnaryCall } from '@grpc/grpc-js';
import { streams, textOf } from '../protocol/index.js';
import { expectationOf } from './expectations.js';
import { targetOf } from './proposals.js';
import { invalidArgument, refusalOf } from './refusals.js';
import type { Room } from './room.js';

export const softDelete = (room: Room): handleUnaryCall<streams.DeleteReq, streams.DeleteResp> =>
  remove(room, 'delete', streams.DeleteResp);

export const tombstone = (room: Room): handleUnaryCall<streams.TombstoneReq, streams.TombstoneResp> =>
  remove(room, 'tombstone', streams.TombstoneResp);

type Request = streams.DeleteReq | streams.TombstoneReq;

interface AnswerClass<P, A extends { setPosition(position: P): unknown }> {
  readonly Position: new () => P;
  new (): A;
}

interface Place {
  setCommitPosition(text: string): unknown;
  setPreparePosition(text: string): unknown;
}

function remove<P extends Place, A extends { setPosition(position: P): unknown }>(
  room: Room,
  how: 'delete' | 'tombstone',
  Answer: AnswerClass<P, A>,
): handleUnaryCall<Request, A> {
  const carryOut = async (request: Request, may: (stream: string) => void): Promise<A> => {
    const options = request.getOptions();
    if (!options) throw invalidArgument('options are not set');
    const stream = targetOf(options);
    const expected = expectationOf(options);
    may(stream);
    const position = textOf(await room.log.remove(stream, expected, how));
    const place = new Answer.Position();
    place.setCommitPosition(position);
    place.setPreparePosition(position);
    const answer = new Answer();
    answer.setPosition(place);
    return answer;
  };
  return (call, answer) => {
    const may = (stream: string): void => room.access.require(room.access.callerOf(call.metadata), 'delete', stream);
    carryOut(call.request, may).then(
      (done) => answer(null, done),
      (error: unknown) => answer(refusalOf(error, room.logger, 'Delete')),
    );
  };
}
