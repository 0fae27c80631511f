/**
 * Which workspace a person means: an id, the beginning of one, or a name. An exact id is meant as it stands; otherwise every
 * reading counts, and two of them are no answer, since the wrong one could be stopped. Retired workspaces are meant only where
 * no active one fits: their names are free for new ones.
 */
import type { WorkspaceView } from '@vw/contracts';
import type { Client, Query } from './client.js';
import { exitCodes, NotFoundFailure, RefusedFailure, UsageFailure } from './failures.js';
import { printable } from './output/text.js';

const idPattern = /^[A-Za-z0-9_-]{1,64}$/;
const PAGE = 500;
/** How many readings a complaint names. */
const MOST_NAMED = 5;

/** @returns the workspace's id. @throws UsageFailure when several are meant, NotFoundFailure when none is. */
export async function resolveWorkspace(client: Client, typed: string): Promise<string> {
  if (await isId(client, typed)) return typed;
  for (const definition of ['active', 'retired'] as const) {
    const [first, ...others] = await readings(client, typed, definition);
    if (first && others.length > 0) throw ambiguous(typed, [first, ...others]);
    if (first) return first.workspaceId;
  }
  throw new NotFoundFailure(`no workspace has the id or the name ${JSON.stringify(typed)}, or an id that begins so`);
}

/** Every workspace of this name, or whose id begins so. */
async function readings(
  client: Client,
  typed: string,
  definition: WorkspaceView['definition'],
): Promise<WorkspaceView[]> {
  const found: WorkspaceView[] = [];
  const query = idPattern.test(typed) ? { definition } : { definition, name: typed };
  for await (const view of everyWorkspace(client, query)) {
    if (view.name === typed || view.workspaceId.startsWith(typed)) found.push(view);
  }
  return found;
}

async function isId(client: Client, typed: string): Promise<boolean> {
  if (!idPattern.test(typed)) return false;
  try {
    await client.view<WorkspaceView>('workspaceId', `v1/workspaces/${typed}`);
    return true;
  } catch (failure) {
    if (failure instanceof RefusedFailure && failure.exitCode === exitCodes.notFound) return false;
    throw failure;
  }
}

async function* everyWorkspace(client: Client, query: Query): AsyncGenerator<WorkspaceView> {
  let cursor: string | undefined;
  do {
    const page = await client.page<WorkspaceView>('v1/workspaces', { ...query, limit: PAGE, cursor });
    yield* page.items;
    cursor = page.nextCursor;
  } while (cursor !== undefined);
}

function ambiguous(typed: string, readings: readonly WorkspaceView[]): UsageFailure {
  const named = readings.slice(0, MOST_NAMED).map(({ workspaceId, name }) => `${workspaceId} (${printable(name)})`);
  const more = readings.length > MOST_NAMED ? ` and ${readings.length - MOST_NAMED} more` : '';
  return new UsageFailure(`${JSON.stringify(typed)} may mean ${named.join(', ')}${more}: type more of the id`);
}
