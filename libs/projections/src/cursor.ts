/**
 * Where a page ended, as text that means nothing to its holder. It names the last row's key and no offset, so rows that come or
 * go between two pages neither repeat nor hide another.
 */
import { UnknownCursor } from './errors.js';

/** One page of a query's rows. */
export interface Page<Row> {
  readonly items: readonly Row[];
  /** Ask again with this as `after`; absent on the last page. */
  readonly next?: string;
}

/** The size of a page, and where it begins. */
export interface Paging {
  /** At most so many rows, at least 1. */
  readonly limit: number;
  /** The `next` of the page before. */
  readonly after?: string;
}

type Key = string | number;

/** Asks for one row more than the page holds: that it is there says that another page is. */
export function page<Row>(paging: Paging, read: (rows: number) => Row[], keyOf: (row: Row) => Key): Page<Row> {
  const limit = Math.max(1, Math.trunc(paging.limit));
  const rows = read(limit + 1);
  const items = rows.slice(0, limit);
  const last = items.at(-1);
  if (rows.length <= limit || last === undefined) return { items };
  return { items, next: Buffer.from(JSON.stringify(keyOf(last))).toString('base64url') };
}

/**
 * The key after which the page begins, or `first` for the first page.
 * @throws UnknownCursor when it is none, or one of a query with another kind of key
 */
export function startOf<K extends Key>(paging: Paging, first: K): K {
  const { after } = paging;
  if (after === undefined) return first;
  let key: unknown;
  try {
    key = JSON.parse(Buffer.from(after, 'base64url').toString('utf8'));
  } catch {
    throw new UnknownCursor(after);
  }
  if (typeof key !== typeof first) throw new UnknownCursor(after);
  return key as K;
}
