/**
 * The ledger as one object: VW Factory and VW Repository (paper §4), built of ports, without Nest. `run` is its life: views first, because everything else
 * asks them; then the loops, each following the log from its own place. A loop that fails ends the ledger: it is restarted whole, from the log.
 */
import {
  allotment,
  type HostId,
  type ImageRef,
  type Principal,
  type WorkspaceId,
  type WorkspaceState,
  ledgerSubject,
} from '@vw/domain';
import type { EventStore } from '@vw/event-store';
import type { ImageRepository } from '@vw/images';
import type { Bus } from '@vw/messaging';
import { type Views, ViewsUnavailable } from '@vw/projections';
import type { Clock, Ids, Logger, Timers } from '@vw/runtime';
import { CommandIds } from './commands/command-ids.js';
import type { Policy } from './commands/policy.js';
import { Streams } from './commands/streams.js';
import { WorkspaceCommands } from './commands/workspace-commands.js';
import type { World } from './commands/world.js';
import { Consoles } from './console/consoles.js';
import { Dispatcher, type DispatcherTiming } from './dispatch/dispatcher.js';
import { HostWatch, type HostWatchTiming } from './hosts/host-watch.js';
import { ImagePool } from './images/image-pool.js';
import { Intake } from './intake/intake.js';
import { Witnesses } from './intake/witnesses.js';
import { Lifetimes } from './lifetimes/lifetimes.js';
import { Metrics } from './metrics.js';

export interface LedgerPorts {
  readonly store: EventStore;
  readonly views: Views;
  readonly bus: Bus;
  readonly images: ImageRepository;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly ids: Ids;
  readonly logger: Logger;
}

export interface LedgerOptions {
  readonly policy: Policy;
  readonly dispatch: DispatcherTiming;
  readonly hosts: HostWatchTiming;
  readonly lifetimesEveryMs: number;
  readonly consoleTimeoutMs: number;
  /** Where arriving images are held until they are whole; on the repository's disk, so that a full one is noticed at once. */
  readonly uploads: string;
}

export const defaultLedgerTiming: Omit<LedgerOptions, 'policy' | 'uploads'> = {
  dispatch: { firstResendMs: 1000, lastResendMs: 15_000, answerWithinMs: 10_000 },
  hosts: { lostAfterMs: 15_000, sweepEveryMs: 1000 },
  lifetimesEveryMs: 1000,
  consoleTimeoutMs: 2000,
};

const viewsRetryMs = 1000;

const ledgerItself: Principal = { subject: ledgerSubject, attributes: {}, method: 'ledger' };

export class Ledger {
  readonly commands: WorkspaceCommands;
  readonly imagePool: ImagePool;
  readonly consoles: Consoles;
  readonly hostWatch: HostWatch;
  readonly metrics = new Metrics();
  private readonly dispatcher: Dispatcher;
  private readonly intake: Intake;
  private readonly lifetimes: Lifetimes;
  readonly uploads: string;
  private readonly ending = new AbortController();
  private ready = false;

  constructor(
    readonly ports: LedgerPorts,
    options: LedgerOptions,
  ) {
    const { store, views, bus, images, clock, timers, ids, logger } = ports;
    const streams = new Streams(store);
    this.uploads = options.uploads;
    const commandIds = new CommandIds((commandId) => views.commandUse(commandId)?.stream);
    this.commands = new WorkspaceCommands(streams, worldOf(streams, views), commandIds, options.policy, clock);
    this.imagePool = new ImagePool(streams, images, clock, ids);
    this.consoles = new Consoles(bus, options.consoleTimeoutMs);
    this.hostWatch = new HostWatch(
      streams,
      bus,
      () => views.hosts().map(({ state }) => state),
      options.hosts,
      clock,
      timers,
      ids,
      logger,
    );
    const witnesses = new Witnesses(clock);
    const listeners = {
      count: (what: Parameters<Metrics['countEvidence']>[0]) => this.metrics.countEvidence(what),
      imageCorrupted: (state: WorkspaceState, evidence: string) => this.imagePool.reportCorruption(state, evidence),
    };
    this.intake = new Intake(streams, bus, witnesses, listeners, clock, ids, logger);
    const intents = {
      open: () => ({ workspaceIds: views.openOperations().map((row) => row.workspaceId), position: views.position() }),
    };
    const markUnknown = (workspaceId: WorkspaceId, reason: string) => this.markUnknown(workspaceId, reason);
    this.dispatcher = new Dispatcher(
      store,
      streams,
      intents,
      bus,
      witnesses,
      markUnknown,
      options.dispatch,
      clock,
      timers,
      ids,
      logger,
    );
    this.lifetimes = new Lifetimes(
      this.commands,
      (now) => views.expiring(now).map(({ state }) => state),
      options.lifetimesEveryMs,
      clock,
      timers,
      logger,
    );
  }

  /** Aborts when the ledger ends: whoever follows the log for a client lets go then. */
  get closing(): AbortSignal {
    return this.ending.signal;
  }

  /** Whether the views have caught up with what the log held at the start, and the loops run. */
  isReady(): boolean {
    return this.ready;
  }

  /** Resolves when the signal has aborted and all loops have ended; rejects as soon as one of them fails. */
  async run(signal: AbortSignal): Promise<void> {
    const { store, views } = this.ports;
    const failed = new AbortController();
    const stop = AbortSignal.any([signal, failed.signal]);
    const projecting = this.project(stop);
    const loops = [projecting];
    try {
      const head = await store.head();
      await Promise.race([views.waitFor(head, stop), projecting]);
      if (!stop.aborted) {
        loops.push(
          this.dispatcher.run(stop),
          this.intake.run(stop),
          this.hostWatch.run(stop),
          this.lifetimes.run(stop),
        );
        this.ready = true;
      }
      await Promise.all(loops);
    } finally {
      this.ready = false;
      this.ending.abort();
      failed.abort();
      await Promise.allSettled(loops);
    }
  }

  /** A disk that is full for a while makes the views old, never wrong: they go on from where they stand. */
  private async project(signal: AbortSignal): Promise<void> {
    const { views, timers, logger } = this.ports;
    while (!signal.aborted) {
      try {
        return await views.run(signal);
      } catch (error) {
        if (!(error instanceof ViewsUnavailable)) throw error;
        logger.error({ err: error }, 'the views stay behind the log; they will be tried again');
        await timers.sleep(viewsRetryMs, signal);
      }
    }
  }

  private async markUnknown(workspaceId: WorkspaceId, reason: string): Promise<void> {
    const commandId = this.ports.ids.next() as never;
    await this.commands.execute({
      verb: 'mark-unknown',
      workspaceId,
      body: { reason },
      commandId,
      principal: ledgerItself,
    });
  }
}

function worldOf(streams: Streams, views: Views): World {
  return {
    image(name): ImageRef | undefined {
      const found = views.imageByName(name)?.state;
      if (found === undefined || found.kind !== 'available') return undefined;
      return { name: found.name, digest: found.digest, kind: found.imageKind };
    },
    hosts: () =>
      views.hosts().map(({ state: host }) => ({ host, promisedMemoryMiB: promisedMemoryMiB(views, host.hostId) })),
    workspace: async (id) => (await streams.workspace(id)).state,
  };
}

const pageSize = 1000;

/** What the workspaces placed on a host were given, as far as the views know. */
function promisedMemoryMiB(views: Views, hostId: HostId): number {
  let sum = 0;
  let after: string | undefined;
  do {
    const { items, next } = views.workspaces({ hostId, limit: pageSize, after });
    for (const { state } of items) sum += allotment(state.description).memoryMiB;
    after = next;
  } while (after !== undefined);
  return sum;
}
