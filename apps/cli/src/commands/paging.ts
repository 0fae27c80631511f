/** Lists come in pages. One page is an answer; `--all` goes through them. */
import type { Page } from '@vw/contracts';
import type { Command } from 'commander';
import type { Query } from '../client.js';
import { type Column, table } from '../output/table.js';
import type { Session } from '../session.js';
import { count } from '../values.js';

export interface Paging {
  limit?: number;
  cursor?: string;
  all?: true;
}

export function pageable(command: Command): Command {
  return command
    .option('--limit <number>', 'items in a page (default: the ledger’s)', count)
    .option('--cursor <cursor>', 'the page after the one that named this cursor')
    .option('--all', 'every page');
}

export async function readPages<Item>(
  { client }: Session,
  path: string,
  query: Query,
  paging: Paging,
): Promise<Page<Item>> {
  const { limit } = paging;
  let page = await client.page<Item>(path, { ...query, limit, cursor: paging.cursor });
  const items = [...page.items];
  while (paging.all && page.nextCursor !== undefined) {
    page = await client.page<Item>(path, { ...query, limit, cursor: page.nextCursor });
    items.push(...page.items);
  }
  return { ...page, items };
}

/** Prints a page; `none` is what to say of an empty one. */
export async function tellPage<Item>(
  { output }: Session,
  page: Page<Item>,
  columns: readonly Column<Item>[],
  none: string,
): Promise<void> {
  if (page.items.length > 0 || output.json) await output.answer(page, () => table(output, columns, page.items));
  else await output.note(none);
  if (page.nextCursor !== undefined) await output.note(`there are more: --all, or --cursor ${page.nextCursor}`);
}
