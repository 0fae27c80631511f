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
export type {
  AccessList,
  Direction,
  EventLog,
  Expectation,
  Matches,
  Page,
  StreamDescription,
  StreamMetadata,
  WriteResult,
} from './log.js';
export { METADATA_TYPE, TOMBSTONE_REVISION, TOMBSTONE_TYPE } from './log.js';
export type { EmbeddedStoreOptions } from './embedded/index.js';
export { openEmbeddedStore } from './embedded/index.js';
