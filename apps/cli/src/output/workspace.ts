/** A workspace as people read it: the paper's state first, then what it is made of. */
import type { WorkspaceView } from '@vw/contracts';
import { stringify } from 'yaml';
import type { Output, Style } from './output.js';
import { distance, printable, shortDigest, size } from './text.js';

/** The state in a word or two: `running`, `paused, serialised`, `shutdown → deploy`, `running?` where nobody knows any more. */
export function stateOf(workspace: WorkspaceView): string {
  const { definition, expired, state, power, intent } = workspace;
  if (definition === 'retired') return 'retired';
  const doubt = power.kind === 'unknown' ? '?' : '';
  const hot = power.kind === 'serialised' ? ', serialised' : '';
  const over = expired ? ', expired' : '';
  const goal = intent.kind === 'none' ? '' : ` → ${intent.kind}`;
  return `${state}${doubt}${hot}${over}${goal}`;
}

export function styleOf(workspace: WorkspaceView): Style | undefined {
  if (workspace.definition === 'retired') return 'dim';
  if (workspace.state === 'corrupted') return 'red';
  if (workspace.power.kind === 'unknown' || workspace.intent.kind !== 'none' || workspace.integrity.kind === 'suspect')
    return 'yellow';
  return workspace.state === 'running' ? 'green' : undefined;
}

/** What it is called, what it is, and how that looks. */
type Fact = readonly [name: string, value: string, style?: Style];

/** Everything about one workspace, a fact in a line. */
export function portrait(output: Output, workspace: WorkspaceView, nowMs: number): string {
  const at = (instant: string) => `${instant} (${distance(instant, nowMs)})`;
  const facts: Fact[] = [
    ['id', workspace.workspaceId],
    ['name', workspace.name, 'bold'],
    ['state', stateOf(workspace), styleOf(workspace)],
    ['owner', workspace.owner],
    ['lock', lockOf(workspace, at)],
    ['placement', placementOf(workspace)],
    ['power', powerOf(workspace, at)],
    ['integrity', integrityOf(workspace)],
    ['intent', intentOf(workspace, at)],
    ['image', imageOf(workspace)],
    ...(workspace.clonedFrom
      ? [
          [
            'cloned from',
            `${workspace.clonedFrom.workspaceId} at revision ${workspace.clonedFrom.revision}`,
          ] satisfies Fact,
        ]
      : []),
    ['created', at(workspace.createdAt)],
    ['updated', at(workspace.updatedAt)],
    ['expires', workspace.expiresAt === null ? 'never' : at(workspace.expiresAt)],
    ['revision', `${workspace.revision}, at position ${workspace.position}`],
    ['reference', workspace.reference.uri],
  ];
  const width = Math.max(...facts.map(([name]) => name.length));
  const description = stringify(workspace.description)
    .trimEnd()
    .split('\n')
    .map((line) => `  ${printable(line)}`);
  return [
    ...facts.map(([name, value, style]) => {
      const text = printable(value);
      return `${output.paint('dim', name.padEnd(width))}  ${style ? output.paint(style, text) : text}`;
    }),
    output.paint('dim', 'description'),
    ...description,
  ].join('\n');
}

type At = (instant: string) => string;

function lockOf({ lock }: WorkspaceView, at: At): string {
  if (lock.kind === 'free') return lock.lastEpoch > 0 ? `free since epoch ${lock.lastEpoch}` : 'free';
  return `held by ${lock.holder} at epoch ${lock.epoch} until ${at(lock.leaseUntil)}`;
}

function placementOf({ placement }: WorkspaceView): string {
  return placement.kind === 'none'
    ? 'on no host'
    : `${placement.kind} on ${placement.hostId} at epoch ${placement.epoch}`;
}

function powerOf({ power }: WorkspaceView, at: At): string {
  switch (power.kind) {
    case 'unknown':
      return `unknown since ${at(power.since)}; then ${power.lastKnown}`;
    case 'serialised': {
      const { digest, sizeBytes, vmmType, vmmVersion } = power.hotImage;
      const guest = power.guest === 'in-memory' ? ', guest still in memory' : '';
      return `serialised: hot image ${shortDigest(digest)} of ${size(sizeBytes)} for ${vmmType} ${vmmVersion}${guest}`;
    }
    default:
      return power.kind;
  }
}

function integrityOf({ integrity }: WorkspaceView): string {
  switch (integrity.kind) {
    case 'ok':
      return 'ok';
    case 'suspect':
      return `suspect: ${integrity.cause}`;
    case 'corrupted':
      return `corrupted, as ${integrity.attempted} showed: ${integrity.evidence}`;
  }
}

function intentOf({ intent }: WorkspaceView, at: At): string {
  // The view's union is told apart by its members: every other kind has a request.
  if (!('requestId' in intent)) return 'none';
  const cancel = intent.cancelRequested ? ', asked to cancel' : '';
  return `${intent.kind} on ${intent.hostId} since ${at(intent.since)}, until ${at(intent.deadline)}${cancel}`;
}

function imageOf({ image }: WorkspaceView): string {
  return image ? `${image.name} (${image.kind}, ${shortDigest(image.digest)})` : 'none yet';
}
