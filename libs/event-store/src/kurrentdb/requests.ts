/** What the adapter asks of KurrentDB, as messages; and what comes back, as events. */
import { StoreUnavailable } from '../errors.js';
import { TOMBSTONE_TYPE } from '../log.js';
import type { ExpectedRevision, NewEvent, Position, RecordedEvent } from '../port.js';
import { START } from '../port.js';
import {
  empty,
  fillProposed,
  recordedEvent,
  shared,
  streamIdentifier,
  streams,
  textOf,
  uuidMessage,
} from '../protocol/index.js';
import type { Direction } from '../log.js';

/** Every name but those that begin with a dollar sign. */
const NOT_OF_THE_STORE = '^[^$]';

/** How many events the server looks at before it says how far it has come: between two checkpoints of a subscription. */
const SEARCH_WINDOW = 500;

/** A fragment of a batch stays well below the 4 MiB that gRPC servers take unless told otherwise. */
const FRAGMENT_BYTES = 512 * 1024;

/** About what a message holds beside the event's own bytes: id, content type, keys and lengths. */
const MESSAGE_OVERHEAD_BYTES = 128;

/** Where a reading of the whole log begins. The server includes the place itself when it reads, not when it is followed. */
export type Place = Position | 'end';

export function streamRequest(
  stream: string,
  from: number | 'end',
  direction: Direction,
  count: number,
): streams.ReadReq {
  const place = new streams.ReadReq.Options.StreamOptions();
  place.setStreamIdentifier(streamIdentifier(stream));
  if (from === 'end') place.setEnd(new shared.Empty());
  else place.setRevision(textOf(from));
  const options = counted(optionsOf(direction), count);
  options.setStream(place);
  options.setNoFilter(new shared.Empty());
  return requestWith(options);
}

export function allRequest(from: Place, direction: Direction, count: number, system: boolean): streams.ReadReq {
  const options = counted(optionsOf(direction), count);
  options.setAll(allFrom(from));
  if (system) options.setNoFilter(new shared.Empty());
  else options.setFilter(ordinaryStreams());
  return requestWith(options);
}

export function subscriptionRequest(after: Position): streams.ReadReq {
  const options = optionsOf('forwards');
  options.setSubscription(new streams.ReadReq.Options.SubscriptionOptions());
  options.setAll(allFrom(after));
  options.setFilter(ordinaryStreams());
  return requestWith(options);
}

/** One append as parts of a batch: what it expects comes with the first only, and the last says that it is the last. */
export function batchRequests(
  correlationId: string,
  stream: string,
  expected: ExpectedRevision,
  events: readonly NewEvent[],
): streams.BatchAppendReq[] {
  const options = new streams.BatchAppendReq.Options();
  options.setStreamIdentifier(streamIdentifier(stream));
  // No deadline: the protocol has it as a time of day, and the clocks of two machines differ. This side counts for itself.
  if (expected === 'no-stream') options.setNoStream(new empty.Empty());
  else options.setStreamPosition(textOf(expected));
  let part = batchPart(correlationId);
  part.setOptions(options);
  const parts = [part];
  let bytes = 0;
  for (const event of events) {
    const size = event.data.length + event.metadata.length + 2 * event.type.length + MESSAGE_OVERHEAD_BYTES;
    if (bytes > 0 && bytes + size > FRAGMENT_BYTES) {
      part = batchPart(correlationId);
      parts.push(part);
      bytes = 0;
    }
    part.addProposedMessages(fillProposed(new streams.BatchAppendReq.ProposedMessage(), event));
    bytes += size;
  }
  part.setIsFinal(true);
  return parts;
}

/** One append as a call of its own. */
export function appendRequests(
  stream: string,
  expected: ExpectedRevision,
  events: readonly NewEvent[],
): streams.AppendReq[] {
  const options = new streams.AppendReq.Options();
  options.setStreamIdentifier(streamIdentifier(stream));
  if (expected === 'no-stream') options.setNoStream(new shared.Empty());
  else options.setRevision(textOf(expected));
  const first = new streams.AppendReq();
  first.setOptions(options);
  return [
    first,
    ...events.map((event) => {
      const request = new streams.AppendReq();
      request.setProposedMessage(fillProposed(new streams.AppendReq.ProposedMessage(), event));
      return request;
    }),
  ];
}

/**
 * @throws StoreUnavailable for an event of a position that cannot be told exactly, or that shares its position with others,
 *   as events of the explicit transactions of the retired TCP protocol do: no reader could go on behind it
 */
export function eventOf(message: streams.ReadResp.ReadEvent): RecordedEvent | undefined {
  const recorded = message.getEvent() ?? message.getLink();
  if (recorded === undefined) return undefined;
  const event = recordedEvent(recorded);
  if (!Number.isSafeInteger(event.position) || recorded.getCommitPosition() !== recorded.getPreparePosition()) {
    throw new StoreUnavailable(
      `event ${event.revision} of stream ${event.stream} lies at ${recorded.getCommitPosition()}/${recorded.getPreparePosition()}, a position that cannot be kept exactly`,
    );
  }
  return event;
}

/** Whether the whole log gives the event unasked: not what is the store's own, nor the mark that a stream is gone for ever. */
export function isOrdinary({ stream, type }: RecordedEvent): boolean {
  return !stream.startsWith('$') && type !== TOMBSTONE_TYPE;
}

function optionsOf(direction: Direction): streams.ReadReq.Options {
  const options = new streams.ReadReq.Options();
  const { FORWARDS, BACKWARDS } = streams.ReadReq.Options.ReadDirection;
  options.setReadDirection(direction === 'forwards' ? FORWARDS : BACKWARDS);
  options.setResolveLinks(false);
  const form = new streams.ReadReq.Options.UUIDOption();
  form.setString(new shared.Empty());
  options.setUuidOption(form);
  return options;
}

function counted(options: streams.ReadReq.Options, count: number): streams.ReadReq.Options {
  options.setCount(textOf(count));
  return options;
}

function allFrom(place: Place): streams.ReadReq.Options.AllOptions {
  const all = new streams.ReadReq.Options.AllOptions();
  if (place === 'end') all.setEnd(new shared.Empty());
  else if (place === START) all.setStart(new shared.Empty());
  else {
    const position = new streams.ReadReq.Options.Position();
    position.setCommitPosition(textOf(place));
    position.setPreparePosition(textOf(place));
    all.setPosition(position);
  }
  return all;
}

function ordinaryStreams(): streams.ReadReq.Options.FilterOptions {
  const expression = new streams.ReadReq.Options.FilterOptions.Expression();
  expression.setRegex(NOT_OF_THE_STORE);
  const filter = new streams.ReadReq.Options.FilterOptions();
  filter.setStreamIdentifier(expression);
  filter.setMax(SEARCH_WINDOW);
  filter.setCheckpointintervalmultiplier(1);
  return filter;
}

function requestWith(options: streams.ReadReq.Options): streams.ReadReq {
  const request = new streams.ReadReq();
  request.setOptions(options);
  return request;
}

function batchPart(correlationId: string): streams.BatchAppendReq {
  const part = new streams.BatchAppendReq();
  part.setCorrelationId(uuidMessage(correlationId, 'string'));
  part.setIsFinal(false);
  return part;
}
