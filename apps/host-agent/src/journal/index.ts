export { JournalCorrupted, JournalUnavailable } from './errors.js';
export { Journal } from './journal.js';
export type { JournalRecord, Released } from './records.js';
