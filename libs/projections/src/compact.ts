/** Gives back the space that the views no longer need. They stay what they are: only where they lie in the file changes. */
import { existsSync, statSync } from 'node:fs';
import { guarded, openExisting } from './file.js';

export interface Compacted {
  /** Of the file with all that SQLite keeps beside it. */
  readonly bytesBefore: number;
  readonly bytesAfter: number;
}

/**
 * @param file of views that nobody has open
 * @returns undefined where there are none, or none of this program's: they will be made anew from the log
 * @throws ViewsInUse, ViewsDamaged, ViewsUnavailable
 */
export function compactViews(file: string): Compacted | undefined {
  if (!existsSync(file)) return undefined;
  const bytesBefore = bytesOf(file);
  const db = openExisting(file);
  if ('useless' in db) return undefined;
  try {
    guarded(db, () => db.exec('VACUUM; PRAGMA wal_checkpoint(TRUNCATE)'));
  } finally {
    // The last connection to leave takes the journal with it.
    db.close();
  }
  return { bytesBefore, bytesAfter: bytesOf(file) };
}

function bytesOf(file: string): number {
  return ['', '-wal', '-shm'].reduce(
    (sum, suffix) => sum + (statSync(file + suffix, { throwIfNoEntry: false })?.size ?? 0),
    0,
  );
}
