/**
 * A host that obeys the agent's rules (PROTOCOL.md, "From intent to outcome"), with nothing but a guest and a journal in memory:
 *
 *  1. It never acts below the highest epoch it has journalled, nor at a closed one; undeploying and being expelled close epochs.
 *  2. The same task again gets the same answer.
 *  3. It says what its VMM shows. It says that a deployment or a start failed only when no guest is there.
 */
import type { CommandId, Epoch, HostId } from '../ids.js';
import type { FailureClass, HotImage, ObservedPower, WorkspaceEvent } from '../workspace/events.js';
import type { Observation, WorkspaceEvidence } from '../workspace/evidence.js';
import { digestOf, vmm } from './scenario.js';

type Requested = Extract<
  WorkspaceEvent,
  { type: `${'Deploy' | 'Undeploy' | 'Start' | 'Pause' | 'Unpause' | 'Serialise' | 'Stop'}Requested` }
>;

export type SimulatedTask = { readonly hostId: HostId; readonly epoch: Epoch } & (
  | { readonly kind: 'work'; readonly requested: Requested }
  | { readonly kind: 'cancel'; readonly requestId: CommandId }
  | { readonly kind: 'observe' | 'expel' }
);

/** How a piece of work goes: most go well. */
export type Luck = 'good' | 'no-room' | 'bad-bytes' | 'guest-dies';

type Work = { readonly luck: Luck; readonly mayCapture: () => HotImage };

export class SimulatedHost {
  guest: { readonly epoch: Epoch; readonly power: 'running' | 'paused' } | undefined;
  /** What the last start continued from. */
  startedFrom: HotImage | undefined;

  private journalled = 0;
  private closed = 0;
  private seq = 0;
  private readonly answers = new Map<CommandId, WorkspaceEvidence>();

  constructor(readonly hostId: HostId) {}

  take(task: SimulatedTask, work: Work): WorkspaceEvidence | undefined {
    switch (task.kind) {
      case 'work':
        return this.answerOnce(task.requested.data.requestId, task.epoch, () => this.work(task.requested, work));
      case 'cancel':
        return this.answerOnce(task.requestId, task.epoch, () => this.failed('cancelled'));
      case 'observe':
        return this.evidence(task.epoch, this.observed('asked'));
      case 'expel':
        this.close(task.epoch);
        return undefined;
    }
  }

  /** The guest dies by itself, or the agent stops it because its own lease is ending. */
  loseGuest(): WorkspaceEvidence | undefined {
    if (this.guest === undefined) return undefined;
    const { epoch } = this.guest;
    this.guest = undefined;
    return this.evidence(epoch, this.observed('it died'));
  }

  /** Nothing of this epoch or below will ever run here again. */
  close(epoch: Epoch): void {
    this.closed = Math.max(this.closed, epoch);
    if (this.guest !== undefined && this.guest.epoch <= epoch) this.guest = undefined;
  }

  shows(): ObservedPower {
    return this.guest?.power ?? 'absent';
  }

  private answerOnce(requestId: CommandId, epoch: Epoch, act: () => Observation): WorkspaceEvidence {
    const before = this.answers.get(requestId);
    if (before) return before;
    const answer = this.evidence(epoch, act(), requestId);
    this.answers.set(requestId, answer);
    return answer;
  }

  private work({ type, data }: Requested, { luck, mayCapture }: Work): Observation {
    if (data.epoch < this.journalled || data.epoch <= this.closed) return this.failed('stale-epoch');
    this.journalled = data.epoch;
    // What is left of an earlier epoch goes before anything else is done.
    this.close(data.epoch - 1);
    if (luck === 'guest-dies') this.guest = undefined;
    if (luck !== 'good') return this.failed(luck === 'bad-bytes' ? 'corrupt' : 'host');
    const { epoch } = data;
    switch (type) {
      case 'DeployRequested':
        return { kind: 'deployed', imageDigest: data.image.digest };
      case 'StartRequested':
        this.startedFrom = data.from.kind === 'hot-image' ? data.from.hotImage : undefined;
        this.guest = { epoch, power: 'running' };
        return { kind: 'started', from: data.from.kind, vmm };
      case 'PauseRequested':
        if (this.guest === undefined) return this.failed('guest');
        this.guest = { epoch, power: 'paused' };
        return { kind: 'paused' };
      case 'UnpauseRequested':
        if (this.guest === undefined) return this.failed('guest');
        this.guest = { epoch, power: 'running' };
        return { kind: 'unpaused' };
      case 'SerialiseRequested':
        return this.shows() === 'paused' ? { kind: 'serialised', hotImage: mayCapture() } : this.failed('guest');
      case 'StopRequested':
        this.guest = undefined;
        return { kind: 'stopped' };
      case 'UndeployRequested': {
        const hotImage = data.captureHotImage && this.shows() === 'paused' ? mayCapture() : undefined;
        this.close(epoch);
        return { kind: 'undeployed', imageDigest: digestOf('b'), hotImage };
      }
    }
  }

  private failed(because: FailureClass): Observation {
    return { kind: 'failed', class: because, reason: because, guest: this.shows() };
  }

  private observed(cause: string): Observation {
    return { kind: 'observed', guest: this.shows(), cause };
  }

  private evidence(epoch: Epoch, observation: Observation, requestId?: CommandId): WorkspaceEvidence {
    this.seq += 1;
    return { hostId: this.hostId, epoch, requestId, bootId: 'boot', seq: this.seq, observation };
  }
}
