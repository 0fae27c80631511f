/** Events as a client proposes them; what the store could not keep as it is meant is refused here, by the name of its field. */
import type { NewEvent } from '../port.js';
import { CONTENT_TYPE_KEY, contentTypeOf, streamNameOf, TYPE_KEY, uuidOf } from '../protocol/index.js';
import type { ProposedMessage, shared } from '../protocol/index.js';
import { invalidArgument, metadataMissing } from './refusals.js';

/** As the port has it. */
const LONGEST_TYPE = 1024;
const NIL = '00000000-0000-0000-0000-000000000000';

/** @throws Refusal that names what is missing or malformed */
export function proposedEvent(message: ProposedMessage): NewEvent {
  const map = message.getMetadataMap();
  const type = map.get(TYPE_KEY);
  const contentType = map.get(CONTENT_TYPE_KEY);
  if (type === undefined) throw metadataMissing(TYPE_KEY);
  if (contentType === undefined) throw metadataMissing(CONTENT_TYPE_KEY);
  if (type.length === 0 || type.length > LONGEST_TYPE || !type.isWellFormed()) {
    throw invalidArgument(`metadata '${TYPE_KEY}' has 1 to ${LONGEST_TYPE} characters`);
  }
  return {
    id: eventId(message),
    type,
    contentType: contentTypeOf(contentType),
    data: message.getData_asU8(),
    metadata: message.getCustomMetadata_asU8(),
  };
}

/** @throws Refusal when there is no name, or none that is UTF-8 */
export function targetOf(options: { getStreamIdentifier(): shared.StreamIdentifier | undefined }): string {
  return named('stream_identifier', () => streamNameOf(options.getStreamIdentifier()));
}

/** A mistake of the caller, told with the field that it is in. */
export function named<T>(field: string, read: () => T): T {
  try {
    return read();
  } catch (cause) {
    throw cause instanceof RangeError ? invalidArgument(`${field}: ${cause.message}`) : cause;
  }
}

function eventId(message: ProposedMessage): string {
  const id = named('id', () => uuidOf(message.getId()));
  if (id === NIL) throw invalidArgument('id: the nil UUID names no event');
  return id;
}
