/**
 * The views as text that depends on the events alone: not on how they were batched, on restarts, on the hour, or on how SQLite
 * laid its pages. Two views at the same position have the same text (invariant I11).
 */
import { createHash } from 'node:crypto';
import { canonicalJson } from '@vw/runtime';
import { ViewsDamaged } from './errors.js';
import { openExisting, readCheckpoint } from './file.js';
import { everyView } from './registry.js';
import type { Db } from './view.js';
import type { Views } from './views.js';

/**
 * Every row of every view, one line of canonical JSON each (RFC 8785): `["checkpoint",{…}]`, then `["workspaces",{…}]` and so on,
 * in order of key.
 * @param source open views, whose lines are to be taken without awaiting between them; or the file of closed ones
 * @throws ViewsInUse, ViewsDamaged when the file cannot be read
 */
export function* canonicalViews(source: Views | string): Generator<string, void, undefined> {
  if (typeof source !== 'string') return yield* source.withTables(lines);
  const found = openExisting(source);
  if ('useless' in found) throw new ViewsDamaged(`${source} holds no views: ${found.useless}`);
  try {
    yield* lines(found);
  } finally {
    found.close();
  }
}

/** SHA-256 of the canonical lines, each ended by a newline, in lower-case hexadecimal. */
export function canonicalDigest(source: Views | string): string {
  const hash = createHash('sha256');
  for (const line of canonicalViews(source)) hash.update(`${line}\n`);
  return hash.digest('hex');
}

function* lines(db: Db): Generator<string, void, undefined> {
  yield canonicalJson(['checkpoint', readCheckpoint(db)]);
  for (const [name, view] of everyView) {
    for (const row of db.prepare<[], Record<string, unknown>>(view.canonical).iterate()) {
      for (const column of view.json) row[column] = JSON.parse(row[column] as string);
      yield canonicalJson([name, row]);
    }
  }
}
