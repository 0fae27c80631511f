/**
 * Events of the protocol. Their type, content type and time of creation travel as text in a map; the time in ticks of 100 ns
 * since the Unix epoch. Bytes are handed on, never read.
 */
import type { ContentType, NewEvent, Position, RecordedEvent } from '../port.js';
import { streams } from './generated.js';
import { numberOf, textOf } from './integers.js';
import { streamIdentifier, streamNameOf } from './stream-names.js';
import { uuidMessage, uuidOf } from './uuids.js';
import type { UuidForm } from './uuids.js';

const JSON_WORD = 'application/json';
const BINARY_WORD = 'application/octet-stream';

/** The keys of the map, in the protocol's words. */
export const TYPE_KEY = 'type';
export const CONTENT_TYPE_KEY = 'content-type';
export const CREATED_KEY = 'created';

const TICKS_PER_MILLISECOND = 10_000n;

/** Append and BatchAppend each have such a class of their own, alike in everything. */
export type ProposedMessage = streams.AppendReq.ProposedMessage | streams.BatchAppendReq.ProposedMessage;
export type RecordedMessage = streams.ReadResp.ReadEvent.RecordedEvent;

export function contentTypeWord(contentType: ContentType): string {
  return contentType === 'json' ? JSON_WORD : BINARY_WORD;
}

/** Any word but the one for JSON means bytes, as with the official server. */
export function contentTypeOf(word: string | undefined): ContentType {
  return word === JSON_WORD ? 'json' : 'binary';
}

/** Fills a message of either class. */
export function fillProposed<M extends ProposedMessage>(message: M, event: NewEvent): M {
  message.setId(uuidMessage(event.id, 'string'));
  const map = message.getMetadataMap();
  map.set(TYPE_KEY, event.type);
  map.set(CONTENT_TYPE_KEY, contentTypeWord(event.contentType));
  message.setData(event.data);
  message.setCustomMetadata(event.metadata);
  return message;
}

export function recordedMessage(event: RecordedEvent, form: UuidForm): RecordedMessage {
  const message = new streams.ReadResp.ReadEvent.RecordedEvent();
  const position = textOf(event.position);
  message.setId(uuidMessage(event.id, form));
  message.setStreamIdentifier(streamIdentifier(event.stream));
  message.setStreamRevision(textOf(event.revision));
  message.setPreparePosition(position);
  message.setCommitPosition(position);
  const map = message.getMetadataMap();
  map.set(TYPE_KEY, event.type);
  map.set(CREATED_KEY, `${event.created}0000`);
  map.set(CONTENT_TYPE_KEY, contentTypeWord(event.contentType));
  message.setData(event.data);
  message.setCustomMetadata(event.metadata);
  return message;
}

/** @throws RangeError when the message has no id, no stream, or a number that is none */
export function recordedEvent(message: RecordedMessage): RecordedEvent {
  const map = message.getMetadataMap();
  return {
    stream: streamNameOf(message.getStreamIdentifier()),
    revision: numberOf(message.getStreamRevision()),
    position: numberOf(message.getCommitPosition()) as Position,
    id: uuidOf(message.getId()),
    type: map.get(TYPE_KEY) ?? '',
    contentType: contentTypeOf(map.get(CONTENT_TYPE_KEY)),
    created: Number(BigInt(map.get(CREATED_KEY) ?? '0') / TICKS_PER_MILLISECOND),
    data: message.getData_asU8(),
    metadata: message.getCustomMetadata_asU8(),
  };
}
