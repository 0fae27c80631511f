export type {
  AppendResult,
  ContentType,
  EventStore,
  ExpectedRevision,
  NewEvent,
  Position,
  ReadAllOptions,
  ReadStreamOptions,
  RecordedEvent,
  SubscriptionItem,
} from './port.js';
export { appendBytes, maxAppendBytes, START } from './port.js';
export {
  AppendTooLarge,
  EventCorrupted,
  StoreInUse,
  StoreUnavailable,
  StreamTombstoned,
  UnknownStoreFormat,
  WrongExpectedRevision,
} from './errors.js';
export type { EventLog } from './log.js';
export type { EmbeddedStoreOptions } from './embedded/index.js';
export { openEmbeddedStore } from './embedded/index.js';
