/**
 * What is on this host when an agent begins (PROTOCOL.md, "Losing a host": a returning agent takes inventory).
 *
 *  1. Every folder is shown to the hypervisor before any task of its workspace is performed: a guest that nobody has adopted would look absent.
 *     A guest that cannot be asked holds up its own workspace, and no other.
 *  2. The folders know epochs too: where one is newer than the journal's, the journal learns it, so no older task can act on it.
 *  3. What is deployed is observed and reported; a guest that died with its agent is thus known to be absent, with its cause.
 *  4. What is closed, or was never deployed in full, is removed once its guest is confirmed absent, unless an open task is going to see to it.
 */
import type { Id } from '@vw/contracts';
import type { GuestSpec } from '@vw/hypervisors';
import { ensureAbsent } from '../tasks/guests.js';
import { removeLeftover } from '../tasks/leftover.js';
import type { Means } from '../tasks/means.js';
import type { Performer } from '../tasks/performer.js';
import type { KeyedQueue } from '../tasks/queue.js';
import type { Found } from '../workspaces/index.js';

interface Item {
  readonly workspaceId: Id;
  readonly found: Found;
}

export class Inventory {
  constructor(
    private readonly means: Means,
    private readonly performer: Performer,
    private readonly queue: KeyedQueue,
  ) {}

  /** Resolves when all of it is queued, ahead of every task. */
  async take(): Promise<void> {
    for (const item of await this.#items()) this.queue.add(item.workspaceId, () => this.#takeUp(item));
  }

  async #items(): Promise<readonly Item[]> {
    const { workspaces } = this.means;
    return Promise.all(
      (await workspaces.ids()).map(async (workspaceId) => ({ workspaceId, found: await workspaces.find(workspaceId) })),
    );
  }

  async #takeUp(item: Item): Promise<'done' | 'again'> {
    const { hypervisor, logger } = this.means;
    const { workspaceId, found } = item;
    try {
      const [adopted] = await hypervisor.adopt([this.#specOf(item)]);
      const epoch = found.kind === 'deployed' ? found.deployment.epoch : (adopted?.epoch ?? this.#highest(workspaceId));
      await this.#learn(workspaceId, epoch);
      return await this.#settle(workspaceId, found, epoch);
    } catch (error) {
      logger.warn({ err: error, workspaceId }, 'what lives on cannot be told yet; no task of it is performed before');
      return 'again';
    }
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
