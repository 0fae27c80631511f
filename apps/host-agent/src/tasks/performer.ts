/**
 * Performs one task to its evidence. The switch is here; each kind of work is a straight line in a file of its own.
 *
 *  1. What is stale is refused before anything is touched (invariant I3).
 *  2. A task that has its evidence is never performed again; one that has none is performed again, from the beginning, until it has.
 *  3. After a failure the guest is observed, and the evidence says what was seen. A deployment or a start is called failed only when the
 *     guest is absent; while that cannot be confirmed nothing is said, and the task is performed again later.
 */
import type { Evidence, Observation, Task } from '@vw/contracts';
import type { Outbox } from '../evidence/outbox.js';
import type { Counters } from '../counters.js';
import { deploy } from './deploy.js';
import { expel } from './expel.js';
import { pause, unpause } from './freeze.js';
import { observeGuest } from './guests.js';
import { type Means, type Performance, performanceOf } from './means.js';
import { serialise } from './serialise.js';
import { Cancelled, failureClassOf, mustWait, reasonOf, Unconfirmed } from './setbacks.js';
import { start } from './start.js';
import { stop } from './stop.js';
import { undeploy } from './undeploy.js';

export class Performer {
  constructor(
    private readonly means: Means,
    private readonly outbox: Outbox,
    private readonly counters: Counters,
    private readonly closing: AbortSignal,
  ) {}

  async perform(task: Task, cancelled: AbortSignal): Promise<'done' | 'again'> {
    const { workspaceId, epoch, taskId } = task;
    if (this.#answer(task) !== undefined) return 'done';
    return this.#settled(task, async () => {
      const observation = await this.#judge(task, performanceOf(task, cancelled, this.closing));
      await this.outbox.report({ workspaceId, epoch, requestId: taskId, observation });
    });
  }

  /** Says what is true now of the workspace's guest. `cause` is said of a guest that is there, or is gone without a word. */
  async observe(task: Pick<Task, 'workspaceId' | 'epoch'>, cause: string): Promise<'done' | 'again'> {
    const { workspaceId, epoch } = task;
    return this.#settled(task, async () => {
      const seen = await observeGuest(this.means.hypervisor, workspaceId, epoch);
      const told = seen.power === 'absent' ? (seen.cause ?? cause) : cause;
      const observation: Observation = { kind: 'observed', guest: seen.power, cause: reasonOf(told) };
      await this.outbox.report({ workspaceId, epoch, observation });
    });
  }

  /** Answers a task that was given up before it came: should it still come, it has its evidence. */
  async prevent(task: Pick<Task, 'workspaceId' | 'epoch'>, taskId: string): Promise<'done' | 'again'> {
    const { workspaceId, epoch } = task;
    if (this.#answer({ workspaceId, taskId }) !== undefined) return 'done';
    return this.#settled(task, async () => {
      const observation = await this.#failed(task, new Cancelled());
      await this.outbox.report({ workspaceId, epoch, requestId: taskId, observation });
    });
  }

  #answer({ workspaceId, taskId }: Pick<Task, 'workspaceId' | 'taskId'>): Evidence | undefined {
    return this.means.journal.known.answerTo(workspaceId, taskId);
  }

  async #settled(task: Partial<Task>, attempt: () => Promise<void>): Promise<'done' | 'again'> {
    try {
      await attempt();
      return 'done';
    } catch (error) {
      const { workspaceId, taskId, work } = task;
      this.counters.putOff += 1;
      this.means.logger.warn(
        { err: error, workspaceId, taskId, work: work?.kind },
        'what is true cannot be told yet; it will be tried again',
      );
      return 'again';
    }
  }

  async #judge(task: Task, performance: Performance): Promise<Observation> {
    const { workspaceId, epoch, work } = task;
    try {
      if (this.#isRefused(task)) return await this.#refuse(task);
      return await this.#work(task, performance);
    } catch (error) {
      if (mustWait(error)) throw error;
      if (this.closing.aborted && !performance.cancelled.aborted)
        throw new Unconfirmed('the agent is being closed', { cause: error });
      this.means.logger.info({ err: error, workspaceId, epoch, work: work.kind }, 'a task failed');
      const failed = await this.#failed(
        task,
        performance.cancelled.aborted && isAbort(error) ? new Cancelled() : error,
      );
      const mustBeAbsent = work.kind === 'deploy' || work.kind === 'start';
      if (!mustBeAbsent || failed.guest === 'absent') return failed;
      throw new Unconfirmed(`${work.kind} failed, and the guest is ${failed.guest}`, { cause: error });
    }
  }

  async #work(task: Task, performance: Performance): Promise<Observation> {
    const { means } = this;
    const { work } = task;
    switch (work.kind) {
      case 'deploy':
        return deploy(means, performance, work);
      case 'start':
        return start(means, performance, work);
      case 'pause':
        return pause(means, performance);
      case 'unpause':
        return unpause(means, performance);
      case 'serialise':
        return serialise(means, performance);
      case 'stop':
        return stop(means, performance, work);
      case 'undeploy':
        return undeploy(means, performance, work);
      case 'expel':
        return expel(means, performance);
      case 'observe':
      case 'cancel':
        throw new TypeError(`${work.kind} is no work to perform`);
    }
  }

  #isRefused({ workspaceId, epoch, taskId, work }: Task): boolean {
    const { known } = this.means.journal;
    switch (work.kind) {
      case 'expel':
        return false;
      case 'undeploy':
        // Its own closing of the epoch, before a crash took the evidence away, is no reason to refuse it.
        return known.released(workspaceId, epoch, taskId) === undefined && known.isStale(workspaceId, epoch);
      default:
        return known.isStale(workspaceId, epoch);
    }
  }

  async #refuse({ workspaceId, epoch }: Task): Promise<Observation> {
    const { hypervisor, journal } = this.means;
    this.counters.stale += 1;
    const { power } = await observeGuest(hypervisor, workspaceId, epoch);
    const highest = journal.known.highestEpoch(workspaceId);
    const because = highest > epoch ? `epoch ${highest} is known here` : 'it is closed here';
    return { kind: 'failed', class: 'stale-epoch', reason: `epoch ${epoch} is over: ${because}`, guest: power };
  }

  async #failed(
    { workspaceId, epoch }: Pick<Task, 'workspaceId' | 'epoch'>,
    error: unknown,
  ): Promise<Extract<Observation, { kind: 'failed' }>> {
    await this.#lookAnew(workspaceId);
    const { power } = await observeGuest(this.means.hypervisor, workspaceId, epoch);
    return { kind: 'failed', class: failureClassOf(error), reason: reasonOf(error), guest: power };
  }

  /** After a failure the hypervisor may have lost sight of what it was doing; its own notes in the folder tell what may be alive. */
  async #lookAnew(workspaceId: string): Promise<void> {
    const { hypervisor, workspaces } = this.means;
    const found = await workspaces.find(workspaceId);
    if (found.kind === 'deployed') await hypervisor.adopt([workspaces.guestSpec(found.deployment)]);
  }
}

function isAbort(error: unknown): boolean {
  return error instanceof Error && error.name === 'AbortError';
}
