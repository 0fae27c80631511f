/**
 * A copy of a log, taken while the service writes: SQLite copies one snapshot of it into a new file that needs nothing beside it.
 * The copy grows under another name, is verified, is synchronised, and only then gets its own; so whatever bears the name of a
 * backup is one, whoever was killed when.
 */
import { link, open, rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { synchroniseFolder } from '@vw/runtime';
import { openLogFile, told } from './log-file.js';
import { type Verification, verifyLogFile, type VerifyOptions } from './verify.js';

export interface BackupOptions extends VerifyOptions {
  readonly file: string;
  /** Another place of any disk; there must be room for the whole log. */
  readonly to: string;
  /** Puts the copy in the place of a file that is there. */
  readonly overwrite: boolean;
}

/** The copy has findings, so the log itself most likely has them; nothing was left behind. */
export class BackupRefused extends Error {
  override readonly name = 'BackupRefused';
  constructor(
    readonly file: string,
    readonly verification: Verification,
  ) {
    super(`what was copied from ${file} is damaged, and was not kept as a backup`);
  }
}

/**
 * @returns what the verification of the copy found: nothing
 * @throws BackupRefused; UnknownStoreFormat, StoreUnavailable; system errors of the copy, EEXIST where the place is taken
 */
export async function backupLogFile({ file, to, overwrite, ...verifying }: BackupOptions): Promise<Verification> {
  // Where one was killed, the next begins anew.
  const unfinished = `${to}.unfinished`;
  await rm(unfinished, { force: true });
  const { db } = openLogFile(file);
  try {
    told(file, () => db.prepare('VACUUM INTO ?').run(unfinished));
    db.close();
    const verification = await verifyLogFile(unfinished, verifying);
    if (Object.keys(verification.counts).length > 0) throw new BackupRefused(file, verification);
    await synchronise(unfinished);
    await giveName(unfinished, to, overwrite);
    return verification;
  } finally {
    db.close();
    await rm(unfinished, { force: true });
  }
}

async function synchronise(file: string): Promise<void> {
  const handle = await open(file, 'r+');
  await handle.sync().finally(() => handle.close());
}

async function giveName(from: string, to: string, overwrite: boolean): Promise<void> {
  // A rename replaces what is there, and a link does not.
  if (overwrite) await rename(from, to);
  else await link(from, to);
  await synchroniseFolder(dirname(to));
}
