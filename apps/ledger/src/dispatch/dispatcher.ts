/**
 * Follows the log and pursues every intent until its outcome is recorded (PROTOCOL.md, "From intent to outcome", 2 and 7).
 *
 *  1. The outbox is derived from the log: what is open is what has a request and no outcome. Nothing else remembers it.
 *  2. A task is sent, and sent again with back-off; the host tells repeated ones apart by their id. Two dispatchers are harmless.
 *  3. Past its deadline an intent stays open. The host is asked what it sees; when it says nothing, the placement becomes unknown.
 *  4. An override is an operator's word and no evidence: the host is told to let go of what it may have all the same.
 */
import { type HostMessage, subjects, type Work } from '@vw/contracts';
import type { CommandId, Epoch, HostId, WorkspaceId, WorkspaceState } from '@vw/domain';
import type { EventStore, Position } from '@vw/event-store';
import type { Bus } from '@vw/messaging';
import type { Clock, Ids, Logger, Timers } from '@vw/runtime';
import type { Streams } from '../commands/streams.js';
import type { Witnesses } from '../intake/witnesses.js';
import { taskOf } from './task-of.js';

export interface DispatcherTiming {
  /** The first pause before a task is sent again; doubled each time up to the last. */
  readonly firstResendMs: number;
  readonly lastResendMs: number;
  /** How long a host may take to say what it sees, once asked. */
  readonly answerWithinMs: number;
}

export interface OpenIntents {
  /** Every open intent, and the position of the log at which that is so. */
  open(): { readonly workspaceIds: readonly WorkspaceId[]; readonly position: Position };
}

/** Which host, and by which grant of the lock. */
interface OnHost {
  readonly hostId: HostId;
  readonly epoch: Epoch;
}

interface Pursuit {
  readonly requestId: CommandId;
  readonly ended: AbortController;
  /** Whether the host has to be told to give up. */
  cancelled: boolean;
  /** Cuts the present pause short. */
  nudge: AbortController;
}

export class Dispatcher {
  private readonly pursuits = new Map<WorkspaceId, Pursuit>();
  private readonly running = new Set<Promise<void>>();

  constructor(
    private readonly store: EventStore,
    private readonly streams: Streams,
    private readonly intents: OpenIntents,
    private readonly bus: Bus,
    private readonly witnesses: Witnesses,
    private readonly markUnknown: (workspaceId: WorkspaceId, reason: string) => Promise<void>,
    private readonly timing: DispatcherTiming,
    private readonly clock: Clock,
    private readonly timers: Timers,
    private readonly ids: Ids,
    private readonly logger: Logger,
  ) {}

  /**
   * Runs until the signal aborts, and settles when every pursuit has ended; may then be run again, and begins with what is open.
   * @throws StoreUnavailable and other failures of the store
   */
  async run(signal: AbortSignal): Promise<void> {
    try {
      const { workspaceIds, position } = this.intents.open();
      for (const workspaceId of workspaceIds) this.follow((await this.streams.workspace(workspaceId)).state, signal);
      for await (const item of this.store.subscribeAll(position, signal)) {
        if (item.kind !== 'event' || !item.event.stream.startsWith('workspace-')) continue;
        const workspaceId = item.event.stream.slice('workspace-'.length) as WorkspaceId;
        if (item.event.type === 'OperatorOverrode') await this.dismiss(workspaceId, item.event.revision);
        this.follow((await this.streams.reached(item.event)).state, signal);
      }
    } finally {
      for (const { ended } of this.pursuits.values()) ended.abort();
      this.pursuits.clear();
      await Promise.all(this.running);
    }
  }

  /** Brings the pursuit of one workspace in line with what its stream says. Sends nothing itself: that may fail, and is then tried again. */
  private follow({ workspaceId, intent }: WorkspaceState, signal: AbortSignal): void {
    let pursuit = this.pursuits.get(workspaceId);
    if (pursuit !== undefined && (intent.kind === 'none' || intent.requestId !== pursuit.requestId)) {
      pursuit.ended.abort();
      this.pursuits.delete(workspaceId);
      pursuit = undefined;
    }
    if (intent.kind === 'none') return;
    if (pursuit === undefined) this.begin(workspaceId, intent.requestId, intent.cancelRequested, signal);
    else if (intent.cancelRequested && !pursuit.cancelled) {
      pursuit.cancelled = true;
      pursuit.nudge.abort();
    }
  }

  private begin(workspaceId: WorkspaceId, requestId: CommandId, cancelled: boolean, signal: AbortSignal): void {
    const pursuit = { requestId, cancelled, ended: new AbortController(), nudge: new AbortController() };
    this.pursuits.set(workspaceId, pursuit);
    const running = this.pursue(workspaceId, pursuit, AbortSignal.any([pursuit.ended.signal, signal]));
    this.running.add(running);
    void running.finally(() => this.running.delete(running));
  }

  private async pursue(workspaceId: WorkspaceId, pursuit: Pursuit, ended: AbortSignal): Promise<void> {
    const { requestId } = pursuit;
    let pauseMs = this.timing.firstResendMs;
    while (!ended.aborted) {
      pursuit.nudge = new AbortController();
      const pause = AbortSignal.any([ended, pursuit.nudge.signal]);
      try {
        const overdue = await this.sendTask(workspaceId, requestId);
        if (pursuit.cancelled) await this.send(workspaceId, { kind: 'cancel', requestId });
        if (overdue) await this.askWhatHostSees(workspaceId, ended);
      } catch (error) {
        this.logger.warn({ err: error, workspaceId, requestId }, 'a task could not be sent; it will be sent again');
      }
      await this.timers.sleep(pauseMs, pause);
      pauseMs = Math.min(pauseMs * 2, this.timing.lastResendMs);
    }
  }

  /** Sends the intent's task; answers whether its deadline has passed. */
  private async sendTask(workspaceId: WorkspaceId, requestId: CommandId): Promise<boolean> {
    const { state, history } = await this.streams.workspace(workspaceId);
    const task = taskOf(state, history, this.clock);
    if (task === undefined || task.taskId !== requestId) return false;
    const message: HostMessage = { type: 'task', task };
    await this.bus.publish(subjects.task(task.hostId), { ...message });
    return task.deadline <= this.clock.now();
  }

  private async askWhatHostSees(workspaceId: WorkspaceId, ended: AbortSignal): Promise<void> {
    const asked = this.clock.monotonic();
    await this.send(workspaceId, { kind: 'observe' });
    await this.timers.sleep(this.timing.answerWithinMs, ended);
    if (ended.aborted || this.witnesses.heardSince(workspaceId, asked)) return;
    await this.markUnknown(
      workspaceId,
      `the host did not say what it sees within ${this.timing.answerWithinMs} ms of being asked`,
    );
  }

  /** Told once: a host that does not hear it is told again when it next speaks of the guest. */
  private async dismiss(workspaceId: WorkspaceId, revision: number): Promise<void> {
    const { history } = await this.streams.workspace(workspaceId);
    const overrode = history[revision]?.event;
    if (overrode?.type !== 'OperatorOverrode') return;
    try {
      await this.publish(workspaceId, overrode.data, { kind: 'expel' });
    } catch (error) {
      this.logger.warn({ err: error, workspaceId }, 'a host could not be told to let go of an overridden workspace');
    }
  }

  private async send(workspaceId: WorkspaceId, work: Work): Promise<void> {
    const { state } = await this.streams.workspace(workspaceId);
    if (state.placement.kind !== 'none') await this.publish(workspaceId, state.placement, work);
  }

  private async publish(workspaceId: WorkspaceId, { hostId, epoch }: OnHost, work: Work): Promise<void> {
    const issuedAt = this.clock.now();
    const deadline = issuedAt + this.timing.answerWithinMs;
    const task = { taskId: this.ids.next(), workspaceId, hostId, epoch, issuedAt, deadline, work };
    const message: HostMessage = { type: 'task', task };
    await this.bus.publish(subjects.task(hostId), { ...message });
  }
}
