export type {
  AppendResult,
  EventStore,
  ExpectedRevision,
  NewEvent,
  Position,
  ReadStreamOptions,
  RecordedEvent,
  SubscriptionItem,
} from './port.js';
export { maxEventBytes, START } from './port.js';
export {
  EventCorrupted,
  EventTooLarge,
  StoreInUse,
  StoreUnavailable,
  UnknownStoreFormat,
  WrongExpectedRevision,
} from './errors.js';
export type { EmbeddedStoreOptions } from './embedded/index.js';
export { openEmbeddedStore } from './embedded/index.js';
