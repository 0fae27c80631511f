export type { BackupOptions } from './backup.js';
export { backupLogFile, BackupRefused } from './backup.js';
export type { LogFileDescription } from './describe.js';
export { describeLogFile } from './describe.js';
export { readEmbeddedLog } from './read.js';
export type { Fault, Finding, Verification, VerifyOptions, Walk } from './verify.js';
export { verifyLogFile } from './verify.js';
