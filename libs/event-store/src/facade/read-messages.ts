/** The answers of Streams.Read, one kind each. */
import type { Position, RecordedEvent } from '../port.js';
import { recordedMessage, streamIdentifier, streams, textOf } from '../protocol/index.js';
import type { UuidForm } from '../protocol/index.js';
import type { Resolved } from './links.js';

const { ReadResp } = streams;
type Answer = streams.ReadResp;

/** `original`: the event of the log itself, link or not; its position is where a reader goes on. */
export function eventMessage(original: RecordedEvent, { event, link }: Resolved, form: UuidForm): Answer {
  const message = new ReadResp.ReadEvent();
  if (event) message.setEvent(recordedMessage(event, form));
  if (link) message.setLink(recordedMessage(link, form));
  message.setCommitPosition(textOf(original.position));
  const answer = new ReadResp();
  answer.setEvent(message);
  return answer;
}

export function notFound(stream: string): Answer {
  const message = new ReadResp.StreamNotFound();
  message.setStreamIdentifier(streamIdentifier(stream));
  const answer = new ReadResp();
  answer.setStreamNotFound(message);
  return answer;
}

export function confirmation(subscriptionId: string): Answer {
  const message = new ReadResp.SubscriptionConfirmation();
  message.setSubscriptionId(subscriptionId);
  const answer = new ReadResp();
  answer.setConfirmation(message);
  return answer;
}

export function checkpoint(position: Position): Answer {
  const message = new ReadResp.Checkpoint();
  message.setCommitPosition(textOf(position));
  message.setPreparePosition(textOf(position));
  const answer = new ReadResp();
  answer.setCheckpoint(message);
  return answer;
}

export function caughtUp(): Answer {
  const answer = new ReadResp();
  answer.setCaughtUp(new ReadResp.CaughtUp());
  return answer;
}

export function firstPosition(revision: number): Answer {
  const answer = new ReadResp();
  answer.setFirstStreamPosition(textOf(revision));
  return answer;
}

export function lastPosition(revision: number): Answer {
  const answer = new ReadResp();
  answer.setLastStreamPosition(textOf(revision));
  return answer;
}
