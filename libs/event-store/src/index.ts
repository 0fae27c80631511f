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
export type {
  BackupOptions,
  EmbeddedStoreOptions,
  Fault,
  Finding,
  LogFileDescription,
  Verification,
  VerifyOptions,
  Walk,
} from './embedded/index.js';
export {
  backupLogFile,
  BackupRefused,
  describeLogFile,
  openEmbeddedStore,
  readEmbeddedLog,
  verifyLogFile,
} from './embedded/index.js';
export type { KurrentStoreOptions } from './kurrentdb/index.js';
export { openKurrentStore } from './kurrentdb/index.js';
export type { StoreContext } from './open.js';
export { openStore } from './open.js';
export type { Facade, FacadeOptions, FacadeUser } from './facade/index.js';
export { serveFacade } from './facade/index.js';
