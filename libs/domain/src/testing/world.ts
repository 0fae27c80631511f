/**
 * One workspace, the hosts it may be on, and the mail between them and the ledger: late, lost, repeated and out of order, because every message
 * that was ever sent may be delivered at any later time, again or never. Moves are plain data, so that a failing walk shrinks and can be kept.
 */
import type { CommandId, HostId } from '../ids.js';
import type { Recorded } from '../metadata.js';
import {
  type CommandOf,
  decideWorkspace,
  evolve,
  type HotImage,
  type Interpretation,
  interpretEvidence,
  ledgerSubject,
  type Observation,
  unborn,
  type WorkspaceCommand,
  type WorkspaceEvent,
  type WorkspaceEvidence,
  type WorkspaceState,
} from '../workspace/index.js';
import { type Luck, SimulatedHost, type SimulatedTask } from './hosts.js';
import {
  ann,
  bob,
  command,
  type CommandType,
  digestOf,
  h1,
  h2,
  h3,
  hot,
  id,
  kernel,
  recorded,
  tiny,
  vmm,
} from './scenario.js';

/** People and programs by number; counts that choose among a command's options; `pick` chooses mail, the newest first. */
export type Move =
  | { readonly kind: 'ask'; readonly type: CommandType; readonly by: number; readonly option: number }
  /** One of the commands that would be accepted now, by the holder: walks that only try at random stay near home. */
  | { readonly kind: 'advance'; readonly pick: number; readonly option: number }
  | { readonly kind: 'override'; readonly truthfully: boolean }
  | { readonly kind: 'tick'; readonly ms: number }
  /** The newest task is done, and its evidence comes, at once. */
  | { readonly kind: 'serve'; readonly luck: Luck }
  | { readonly kind: 'deliver-task'; readonly pick: number; readonly luck: Luck }
  | { readonly kind: 'deliver-evidence'; readonly pick: number }
  | { readonly kind: 'look' | 'lose-guest'; readonly host: number }
  | {
      readonly kind: 'forge';
      readonly lie: 'wrong-host' | 'another-request' | 'lower-epoch' | 'higher-epoch' | 'contradiction';
      readonly pick: number;
    };

/** One event of the log, with the state on either side; events of one append bear its number. */
export interface Change {
  readonly append: number;
  readonly before: WorkspaceState;
  readonly event: WorkspaceEvent;
  readonly after: WorkspaceState;
}

export const people = [ann, ann, ann, bob, ledgerSubject] as const;
const operator = 'CN=operator';
const advancing = [
  'undeploy',
  'repair',
  'stop',
  'unpause',
  'deploy',
  'serialise',
  'pause',
  'start',
] as const satisfies CommandType[];

export class World {
  state: WorkspaceState = unborn;
  readonly log: Recorded<WorkspaceEvent>[] = [];
  readonly changes: Change[] = [];
  readonly hosts = [h1, h2, h3].map((hostId) => new SimulatedHost(hostId));
  readonly tasks: SimulatedTask[] = [];
  readonly evidence: WorkspaceEvidence[] = [];
  /** Where an operator vouched for an absence that was not so, and up to which epoch: nobody can answer for that. */
  readonly falselyVouched = new Map<HostId, number>();
  /** What forged evidence was taken for. */
  readonly forgeries: Interpretation[] = [];

  private now = 1_000;
  private commands = 0;
  private captures = 0;
  private appends = 0;

  constructor(moves: Iterable<Move> = []) {
    this.decide(command('create', { commandId: id('create') }));
    for (const move of moves) this.move(move);
  }

  move(move: Move): void {
    switch (move.kind) {
      case 'ask':
        return this.decide(this.asked(move.type, people[move.by % people.length] ?? ann, move.option));
      case 'advance':
        return this.advance(move.pick, move.option);
      case 'override':
        return this.override(move.truthfully);
      case 'tick':
        this.now += move.ms;
        return;
      case 'serve':
        return this.hear(this.perform(this.tasks.at(-1), move.luck));
      case 'deliver-task':
        this.perform(newest(this.tasks, move.pick), move.luck);
        return;
      case 'deliver-evidence':
        return this.hear(newest(this.evidence, move.pick));
      case 'look':
        this.perform({ kind: 'observe', hostId: this.likely(move.host).hostId, epoch: this.epoch() }, 'good');
        return;
      case 'lose-guest':
        this.post(this.likely(move.host).loseGuest());
        return;
      case 'forge':
        return this.forge(move.lie, move.pick);
    }
  }

  /** The host that the log believes to have the workspace. */
  placed(): SimulatedHost | undefined {
    const { placement } = this.state;
    return placement.kind === 'none' ? undefined : this.hosts.find(({ hostId }) => hostId === placement.hostId);
  }

  hear(evidence: WorkspaceEvidence | undefined): void {
    if (evidence === undefined) return;
    const meaning = interpretEvidence(this.state, evidence);
    if (meaning.kind === 'stale') this.tasks.push({ kind: 'expel', hostId: evidence.hostId, epoch: evidence.epoch });
    if (meaning.kind === 'events') this.append(meaning.events, evidence);
  }

  decide(command: WorkspaceCommand): void {
    const decision = decideWorkspace(this.state, frozen(command));
    if (decision.kind === 'accepted') this.append(decision.events);
  }

  perform(task: SimulatedTask | undefined, luck: Luck): WorkspaceEvidence | undefined {
    if (task === undefined) return undefined;
    const host = this.hosts.find(({ hostId }) => hostId === task.hostId);
    return this.post(host?.take(task, { luck, mayCapture: () => this.capture() }));
  }

  private post(evidence: WorkspaceEvidence | undefined): WorkspaceEvidence | undefined {
    if (evidence !== undefined) this.evidence.push(frozen(evidence));
    return evidence;
  }

  private append(events: readonly WorkspaceEvent[], evidence?: WorkspaceEvidence): void {
    this.appends += 1;
    const { hostId, bootId = '', seq = 0 } = evidence ?? {};
    const source = hostId && { evidence: { hostId, bootId, seq, observedAt: this.now } };
    for (const each of recorded(events, { recordedAt: this.now, ...source })) {
      const next = { ...each, revision: this.log.length, position: this.log.length * 2 };
      const before = this.state;
      this.log.push(next);
      this.state = frozen(evolve(before, next));
      this.changes.push({ append: this.appends, before, event: each.event, after: this.state });
    }
    this.dispatch();
  }

  /** The task of the open intent is made of the event that opened it. */
  private dispatch(): void {
    const { intent } = this.state;
    if (intent.kind === 'none') return;
    const { hostId, epoch, requestId } = intent;
    if (intent.cancelRequested) this.tasks.push({ kind: 'cancel', hostId, epoch, requestId });
    const opened = this.log[intent.revision]?.event as Extract<SimulatedTask, { kind: 'work' }>['requested'];
    this.tasks.push({ kind: 'work', hostId, epoch, requested: opened });
  }

  private override(truthfully: boolean): void {
    const { placement } = this.state;
    if (placement.kind === 'none') return;
    const { hostId, epoch } = placement;
    if (truthfully) this.placed()?.close(epoch);
    else this.falselyVouched.set(hostId, epoch);
    this.decide(command('override', { by: operator }));
  }

  private advance(pick: number, option: number): void {
    const { lock } = this.state;
    const by = lock.kind === 'held' ? lock.holder : ann;
    const accepted = advancing
      .map((type) => this.asked(type, by, option))
      .filter((each) => decideWorkspace(this.state, each).kind === 'accepted');
    const chosen = newest(accepted, pick);
    if (chosen) this.decide(chosen);
  }

  private asked(type: CommandType, by: string, option: number): WorkspaceCommand {
    this.commands += 1;
    const leaseUntil = this.now + 20 + option * 10;
    const variety: { readonly [Type in CommandType]?: Partial<CommandOf<Type>> } = {
      clone: { source: this.state },
      refine: {
        description: { ...tiny, name: `v${option}` },
        image: option % 2 ? kernel : { ...kernel, digest: digestOf('c') },
      },
      'set-lifetime': { expiresAt: option % 3 ? this.now + option * 10 : null },
      'check-out': { leaseUntil },
      renew: { leaseUntil },
      'steal-lock': { leaseUntil },
      deploy: { leaseUntil, hostId: this.host(option).hostId },
      start: { from: ([undefined, 'image', 'hot-image'] as const)[option % 3] },
      repair: { discardHotImage: option % 2 === 1, image: option % 3 ? undefined : kernel },
    };
    const commandId = `c${this.commands}` as CommandId;
    return { ...command(type), ...variety[type], by, at: this.now, commandId } as WorkspaceCommand;
  }

  /** Evidence that no host of these rules would send now. It looks like the truth but for the lie. */
  private forge(lie: Extract<Move, { kind: 'forge' }>['lie'], pick: number): void {
    const { placement, intent } = this.state;
    if (placement.kind === 'none') return;
    const { hostId, epoch } = placement;
    const requestId = intent.kind === 'none' ? undefined : intent.requestId;
    const answers: readonly Observation[] = [
      { kind: 'deployed', imageDigest: this.state.image?.digest ?? kernel.digest },
      { kind: 'started', from: 'image', vmm },
      { kind: 'paused' },
      { kind: 'unpaused' },
      { kind: 'serialised', hotImage: hot },
      { kind: 'stopped' },
      { kind: 'undeployed', imageDigest: digestOf('c') },
      { kind: 'failed', class: 'host', reason: 'forged', guest: 'running' },
      { kind: 'failed', class: 'host', reason: 'forged', guest: 'absent' },
      { kind: 'observed', guest: 'running', cause: 'forged' },
      { kind: 'observed', guest: 'absent', cause: 'forged' },
    ];
    const truth = { hostId, epoch, requestId };
    const observation = newest(answers, pick)!;
    const another = this.hosts.find((host) => host.hostId !== hostId)!.hostId;
    const lies = {
      'wrong-host': { ...truth, hostId: another, observation },
      'another-request':
        observation.kind === 'observed' ? undefined : { ...truth, requestId: id('never'), observation },
      'lower-epoch': { ...truth, epoch: epoch - 1, observation },
      'higher-epoch': { ...truth, epoch: epoch + 1, observation },
      contradiction: contradicts(intent.kind, observation) ? { ...truth, observation } : undefined,
    };
    const forged = lies[lie];
    if (forged === undefined) return;
    this.forgeries.push(interpretEvidence(this.state, frozen(forged)));
    this.hear(forged);
  }

  private capture(): HotImage {
    this.captures += 1;
    return { ...hot, digest: `sha256:${String(this.captures).padStart(64, '0')}` as HotImage['digest'] };
  }

  private host(number: number): SimulatedHost {
    return this.hosts[number % this.hosts.length]!;
  }

  /** Mostly the host that the workspace is on. */
  private likely(number: number): SimulatedHost {
    return (number > 2 ? this.placed() : undefined) ?? this.host(number);
  }

  private epoch(): number {
    const { lock } = this.state;
    return lock.kind === 'held' ? lock.epoch : lock.lastEpoch;
  }
}

const answerTo = {
  deploy: 'deployed',
  start: 'started',
  pause: 'paused',
  unpause: 'unpaused',
  serialise: 'serialised',
  stop: 'stopped',
  undeploy: 'undeployed',
} as const;

/** Whether an observation cannot end the intent; without an intent none can, but what is observed may be news. */
function contradicts(intent: WorkspaceState['intent']['kind'], observation: Observation): boolean {
  if (observation.kind === 'observed') return false;
  if (intent === 'none') return true;
  if (observation.kind !== 'failed') return observation.kind !== answerTo[intent];
  return observation.guest !== 'absent' && (intent === 'deploy' || intent === 'start');
}

function newest<T>(list: readonly T[], pick: number): T | undefined {
  return list.length === 0 ? undefined : list[list.length - 1 - (pick % list.length)];
}

/** Deciders and folds are pure: what they are given cannot be changed. */
function frozen<T>(value: T): T {
  if (typeof value !== 'object' || value === null || Object.isFrozen(value)) return value;
  Object.freeze(value);
  Object.values(value).forEach(frozen);
  return value;
}
