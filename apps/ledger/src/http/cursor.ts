/** Cursors: where a list went on, and which list it was. Opaque to clients; one that belongs to another query is refused. */
import { canonicalJson, sha256Hex } from '@vw/runtime';
import { problem, type ProblemException } from './problem.js';

const fingerprint = (query: object) => sha256Hex(canonicalJson(query)).slice(0, 16);

export function encodeCursor(query: object, after: string): string {
  return Buffer.from(`${fingerprint(query)}${after}`).toString('base64url');
}

export function decodeCursor(query: object, cursor: string | undefined): string | undefined {
  if (cursor === undefined) return undefined;
  const text = Buffer.from(cursor, 'base64url').toString();
  if (text.length <= 16 || text.slice(0, 16) !== fingerprint(query)) throw foreignCursor();
  return text.slice(16);
}

/** For a list in which a page begins at a number: which, 0 without a cursor. */
export function decodeCount(query: object, cursor: string | undefined): number {
  const text = decodeCursor(query, cursor) ?? '0';
  if (!/^\d{1,15}$/.test(text)) throw foreignCursor();
  return Number(text);
}

function foreignCursor(): ProblemException {
  return problem(422, 'INVALID', 'The cursor does not belong to this query', {
    problems: [{ code: 'cursor', message: 'not a cursor of this query', where: { field: 'cursor' } }],
  });
}
