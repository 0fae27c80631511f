/** EventStoreDB's protocol, as both sides of it need it: the facade that serves it and the adapter that calls it. */
export * from './generated.js';
export { END, numberOf, textOf } from './integers.js';
export type { UuidForm } from './uuids.js';
export { uuidMessage, uuidOf, uuidOfText } from './uuids.js';
export { streamIdentifier, streamNameOf } from './stream-names.js';
export type { ProposedMessage } from './events.js';
export { CONTENT_TYPE_KEY, contentTypeOf, fillProposed, recordedEvent, recordedMessage, TYPE_KEY } from './events.js';
