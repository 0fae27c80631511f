/** What the ledger knows: workspaces and their histories, locks, operations, hosts. Nothing here changes anything. */
import type { EventView, HostView, LockView, OperationView, WorkspaceView } from '@vw/contracts';
import { type Command, Option } from 'commander';
import { UsageFailure } from '../failures.js';
import { factsOf } from '../output/event.js';
import type { Column } from '../output/table.js';
import { age, distance, size } from '../output/text.js';
import { portrait, stateOf, styleOf } from '../output/workspace.js';
import { resolveWorkspace } from '../resolve.js';
import type { Perform, Session } from '../session.js';
import { now } from '../time.js';
import { count } from '../values.js';
import { pageable, type Paging, readPages, tellPage } from './paging.js';

interface Filters extends Paging {
  state?: string;
  owner?: string;
  holder?: string;
  host?: string;
  name?: string;
  retired?: true;
  after?: number;
}

export function addReadingCommands(program: Command, perform: Perform): void {
  pageable(program.command('ls').summary('list workspaces').description('Lists workspaces.'))
    .addOption(new Option('--state <state>', 'in this state').choices(['shutdown', 'running', 'paused', 'corrupted']))
    .option('--owner <subject>', 'created by')
    .option('--holder <subject>', 'whose lock is held by')
    .option('--host <id>', 'on this host')
    .option('--name <name>', 'of this name')
    .option('--retired', 'the retired ones, instead of the active')
    .option('--after <position>', 'not before the view shows this position of the log', count)
    .action(perform(list));
  program
    .command('show <id>')
    .summary('show everything about a workspace')
    .description('Shows everything about a workspace.')
    .option('--xml', 'as the paper’s XML document')
    .option('--after <position>', 'not before the view shows this position of the log', count)
    .action(perform(show));
  pageable(
    program
      .command('history <id>')
      .summary('tell what happened to a workspace')
      .description('Lists a workspace’s events.'),
  ).action(perform(history));
  pageable(
    program.command('locks').summary('list held locks').description('Lists the locks that are held, and by whom.'),
  ).action(perform(locks));
  pageable(
    program.command('ops [id]').summary('list operations').description('Lists operations, of one workspace or of all.'),
  )
    .addOption(new Option('--status <status>', 'in this status').choices(['open', 'all']).default('open'))
    .action(perform(operations));
  program
    .command('hosts')
    .summary('list hosts')
    .description('Lists hosts and what they can run.')
    .action(perform(hosts));
}

async function list(session: Session, options: Filters): Promise<void> {
  const { state, owner, holder, host, name, after } = options;
  const filters = { state, owner, holder, host, name, after, definition: options.retired && 'retired' };
  const page = await readPages<WorkspaceView>(session, 'v1/workspaces', filters, options);
  const shorten = shortestPrefixes(page.items.map(({ workspaceId }) => workspaceId));
  const columns: Column<WorkspaceView>[] = [
    { head: 'NAME', cell: ({ name }) => name },
    { head: 'ID', cell: ({ workspaceId }) => shorten(workspaceId) },
    { head: 'STATE', cell: stateOf, style: styleOf },
    { head: 'HOST', cell: ({ placement }) => (placement.kind === 'none' ? '-' : placement.hostId) },
    { head: 'HOLDER', cell: ({ lock }) => (lock.kind === 'held' ? lock.holder : '-') },
    { head: 'AGE', cell: ({ createdAt }) => age(createdAt, now()), align: 'right' },
  ];
  await tellPage(session, page, columns, 'no workspaces');
}

async function show(session: Session, { xml, after }: { xml?: true; after?: number }, typed: string): Promise<void> {
  const { client, output } = session;
  if (xml && output.json) throw new UsageFailure('show answers as --xml or as --json, not as both');
  const path = `v1/workspaces/${encodeURIComponent(await resolveWorkspace(client, typed))}`;
  if (xml) {
    await output.verbatim(`${(await client.document(path, 'application/xml', { after })).trimEnd()}\n`);
  } else {
    const workspace = await client.view<WorkspaceView>('workspaceId', path, { after });
    await output.answer(workspace, () => portrait(output, workspace, now()));
  }
}

async function history(session: Session, paging: Paging, typed: string): Promise<void> {
  const workspaceId = await resolveWorkspace(session.client, typed);
  const page = await readPages<EventView>(
    session,
    `v1/workspaces/${encodeURIComponent(workspaceId)}/history`,
    {},
    paging,
  );
  const columns: Column<EventView>[] = [
    { head: 'REV', cell: ({ revision }) => String(revision), align: 'right' },
    { head: 'RECORDED', cell: ({ recordedAt }) => recordedAt },
    { head: 'EVENT', cell: ({ type }) => type },
    { head: 'BY', cell: ({ actor }) => actor },
    { head: 'FACTS', cell: factsOf },
  ];
  await tellPage(session, page, columns, 'no events');
}

async function locks(session: Session, paging: Paging): Promise<void> {
  const page = await readPages<LockView>(session, 'v1/locks', {}, paging);
  const columns: Column<LockView>[] = [
    { head: 'NAME', cell: ({ name }) => name },
    { head: 'ID', cell: ({ workspaceId }) => workspaceId },
    { head: 'HOLDER', cell: ({ holder }) => holder },
    { head: 'EPOCH', cell: ({ epoch }) => String(epoch), align: 'right' },
    { head: 'LEASE ENDS', cell: ({ leaseUntil }) => distance(leaseUntil, now()) },
    { head: 'HOST', cell: ({ hostId }) => hostId ?? '-' },
  ];
  await tellPage(session, page, columns, 'no locks are held');
}

async function operations(session: Session, options: Paging & { status: string }, typed?: string): Promise<void> {
  const workspace = typed === undefined ? undefined : await resolveWorkspace(session.client, typed);
  const status = options.status === 'all' ? undefined : options.status;
  const page = await readPages<OperationView>(session, 'v1/operations', { status, workspace }, options);
  const columns: Column<OperationView>[] = [
    { head: 'WORKSPACE', cell: ({ workspaceId }) => workspaceId },
    { head: 'OPERATION', cell: ({ kind }) => kind },
    { head: 'HOST', cell: ({ hostId }) => hostId },
    { head: 'STATUS', cell: statusOf, style: ({ status: found }) => (found === 'failed' ? 'red' : undefined) },
    { head: 'AGE', cell: ({ requestedAt }) => age(requestedAt, now()), align: 'right' },
    { head: 'WHY', cell: ({ failure }) => (failure ? `${failure.class}: ${failure.reason}` : '') },
  ];
  await tellPage(session, page, columns, status === 'open' ? 'no open operations' : 'no operations');
}

async function hosts(session: Session): Promise<void> {
  const page = await readPages<HostView>(session, 'v1/hosts', {}, { all: true });
  const columns: Column<HostView>[] = [
    { head: 'HOST', cell: ({ hostId }) => hostId },
    { head: 'STATUS', cell: ({ status }) => status, style: ({ status }) => (status === 'lost' ? 'red' : 'green') },
    { head: 'VMMS', cell: ({ vmms }) => vmms.map(({ type, version }) => `${type} ${version}`).join(', ') || '-' },
    { head: 'CPUS', cell: ({ cpus }) => String(cpus), align: 'right' },
    { head: 'MEMORY', cell: ({ memoryMiB }) => size(memoryMiB * 1_048_576), align: 'right' },
    { head: 'DISK', cell: ({ diskMiB }) => size(diskMiB * 1_048_576), align: 'right' },
    { head: 'WORKSPACES', cell: ({ workspaces }) => String(workspaces), align: 'right' },
    { head: 'HEARD', cell: ({ lastHeard }) => (lastHeard === null ? 'never' : distance(lastHeard, now())) },
  ];
  await tellPage(session, page, columns, 'no hosts');
}

function statusOf({ status, cancelRequested }: OperationView): string {
  return status === 'open' && cancelRequested ? 'open, asked to cancel' : status;
}

const SHORTEST_PREFIX = 8;

/** Shortens ids as far as they stay apart from each other here; what is typed is compared with every id, and two meanings are refused. */
function shortestPrefixes(ids: readonly string[]): (id: string) => string {
  const longest = Math.max(0, ...ids.map((id) => id.length));
  let length = Math.min(SHORTEST_PREFIX, longest);
  while (length < longest && new Set(ids.map((id) => id.slice(0, length))).size < new Set(ids).size) length++;
  return (id) => id.slice(0, length);
}
