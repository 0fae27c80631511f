/**
 * What is on this host when an agent begins (PROTOCOL.md, "Losing a host": a returning agent takes inventory).
 *
 *  1. Every folder is shown to the hypervisor before any task is performed: a guest that nobody has adopted would look absent.
 *  2. The folders know epochs too: where one is newer than the journal's, the journal learns it, so no older task can act on it.
 *  3. What is deployed is observed and reported; a guest that died with its agent is thus known to be absent, with its cause.
 *  4. What is closed, or was never deployed in full, is removed once its guest is confirmed absent, unless an open task is going to see to it.
 */
import type { Id } from '@vw/contracts';
import type { GuestSpec } from '@vw/hypervisors';
import type { Timers } from '@vw/runtime';
import { ensureAbsent } from '../tasks/guests.js';
import { removeLeftover } from '../tasks/leftover.js';
import type { Means } from '../tasks/means.js';
import type { Performer } from '../tasks/performer.js';
import type { KeyedQueue } from '../tasks/queue.js';
import type { Found } from '../workspaces/index.js';

const FIRST_PAUSE_MS = 250;
const LONGEST_PAUSE_MS = 30_000;

interface Item {
  readonly workspaceId: Id;
  readonly found: Found;
}

export class Inventory {
  constructor(
    private readonly means: Means,
    private readonly performer: Performer,
    private readonly queue: KeyedQueue,
    private readonly timers: Timers,
  ) {}

  /** Resolves when the guests that live on are under control, and what is to be said of them is queued; or when the signal aborts. */
  async take(signal: AbortSignal): Promise<void> {
    const items = await this.#items();
    const epochs = await this.#adopt(items, signal);
    if (signal.aborted) return;
    for (const { workspaceId, found } of items) {
      const epoch =
        found.kind === 'deployed' ? found.deployment.epoch : (epochs.get(workspaceId) ?? this.#highest(workspaceId));
      await this.#learn(workspaceId, epoch);
      this.queue.add(workspaceId, () => this.#settle(workspaceId, found, epoch));
    }
  }

  async #items(): Promise<readonly Item[]> {
    const { workspaces } = this.means;
    return Promise.all(
      (await workspaces.ids()).map(async (workspaceId) => ({ workspaceId, found: await workspaces.find(workspaceId) })),
    );
  }

  /** The epochs of the guests that the hypervisor knows of, alive or not. */
  async #adopt(items: readonly Item[], signal: AbortSignal): Promise<ReadonlyMap<Id, number>> {
    const { hypervisor, logger } = this.means;
    const epochs = new Map<Id, number>();
    for (const item of items) {
      for (let pauseMs = FIRST_PAUSE_MS; !signal.aborted; pauseMs = Math.min(pauseMs * 2, LONGEST_PAUSE_MS)) {
        try {
          for (const { workspaceId, epoch } of await hypervisor.adopt([this.#specOf(item)]))
            epochs.set(workspaceId, epoch);
          break;
        } catch (error) {
          logger.warn(
            { err: error, workspaceId: item.workspaceId },
            'what lives on cannot be told yet; no task is performed before',
          );
          await this.timers.sleep(pauseMs, signal);
        }
      }
    }
    return epochs;
  }

  /** Where nothing tells what was deployed, the folder alone must do: the hypervisor goes by its own notes in it. */
  #specOf({ workspaceId, found }: Item): GuestSpec {
    const { workspaces } = this.means;
    if (found.kind === 'deployed') return workspaces.guestSpec(found.deployment);
    const epoch = this.#highest(workspaceId);
    const boot = { kind: 'kernel', file: workspaces.bootFile(workspaceId) } as const;
    return {
      workspaceId,
      epoch,
      directory: workspaces.folder(workspaceId),
      memoryMiB: 1,
      cpus: 1,
      boot,
      commandLine: '',
    };
  }

  /** A folder that no task of the journal speaks of counts as the first epoch's. */
  #highest(workspaceId: Id): number {
    return Math.max(1, this.means.journal.known.highestEpoch(workspaceId));
  }

  async #learn(workspaceId: Id, epoch: number): Promise<void> {
    const { journal } = this.means;
    if (epoch > journal.known.highestEpoch(workspaceId)) await journal.append({ type: 'seen', workspaceId, epoch });
  }

  async #settle(workspaceId: Id, found: Found, epoch: number): Promise<'done' | 'again'> {
    const { journal, logger } = this.means;
    if (found.kind === 'damaged')
      logger.error({ workspaceId, epoch, reason: found.reason }, 'what is deployed cannot be told');
    if (!journal.known.isClosed(workspaceId, epoch) && found.kind !== 'nothing') {
      return this.performer.observe({ workspaceId, epoch }, 'found when the agent was started');
    }
    if (journal.known.openTasks().some((task) => task.workspaceId === workspaceId)) return 'done';
    return this.#clearAway(workspaceId, epoch);
  }

  async #clearAway(workspaceId: Id, epoch: number): Promise<'done' | 'again'> {
    const { hypervisor, logger } = this.means;
    try {
      await ensureAbsent(hypervisor, workspaceId, epoch);
      await removeLeftover(this.means, workspaceId, epoch);
      logger.info({ workspaceId, epoch }, 'a leftover was removed');
      return 'done';
    } catch (error) {
      logger.warn({ err: error, workspaceId, epoch }, 'a leftover could not be removed yet');
      return 'again';
    }
  }
}
