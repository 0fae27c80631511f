/**
 * The ledger as one object: VW Factory and VW Repository (paper §4), built of ports, without Nest. `run` is its life: views first, because everything else
 * asks them; then the loops, each following the log from its own place. A loop that fails ends the ledger: it is restarted whole, from the log. Only what is
 * known to pass is waited for: a disk that is full under the views, and a store elsewhere that is away.
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
import { type EventStore, StoreUnavailable } from '@vw/event-store';
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
  /**
   * Whether the store is in another process. Such a store goes and comes back by itself, and an append whose answer is lost may have been recorded; one in this
   * process that cannot be followed any more does not come back before the process does.
   */
  readonly storeElsewhere: boolean;
}

export const defaultLedgerTiming: Omit<LedgerOptions, 'policy' | 'uploads' | 'storeElsewhere'> = {
  dispatch: { firstResendMs: 1000, lastResendMs: 15_000, answerWithinMs: 10_000 },
  hosts: { lostAfterMs: 15_000, sweepEveryMs: 1000 },
  lifetimesEveryMs: 1000,
  consoleTimeoutMs: 2000,
};

const firstRetryMs = 250;
const lastRetryMs = 2000;
/** A store that has not answered by then is away, as far as whoever asks for readiness is concerned. */
const answersWithinMs = 1000;

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
  /** See LedgerOptions. */
  readonly storeElsewhere: boolean;
  private readonly ending = new AbortController();
  private ready = false;
  private asking: Promise<boolean> | undefined;

  constructor(
    readonly ports: LedgerPorts,
    options: LedgerOptions,
  ) {
    const { store, views, bus, images, clock, timers, ids, logger } = ports;
    const streams = new Streams(store);
    this.uploads = options.uploads;
    this.storeElsewhere = options.storeElsewhere;
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

  /** Whether commands can be taken: the store is asked, once for all who want to know at the same time. */
  async storeAnswers(): Promise<boolean> {
    this.asking ??= this.askStore().finally(() => (this.asking = undefined));
    return this.asking;
  }

  /** Resolves when the signal has aborted and all loops have ended; rejects as soon as one of them fails. */
  async run(signal: AbortSignal): Promise<void> {
    const { store, views } = this.ports;
    const failed = new AbortController();
    const stop = AbortSignal.any([signal, failed.signal]);
    const projecting = this.lastingly('the views stay behind the log', () => views.run(stop), stop);
    const catchUp = async () => {
      await views.waitFor(await store.head(), stop);
    };
    const catchingUp = this.lastingly('the end of the log is not known', catchUp, stop);
    const loops = [projecting, catchingUp];
    try {
      await Promise.race([catchingUp, projecting]);
      if (!stop.aborted) {
        loops.push(
          this.lastingly('no task is sent', () => this.dispatcher.run(stop), stop),
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

  /** Runs something that follows the log, and again from where the views stand whenever it was stopped by what passes: it is late then, and never wrong. */
  private async lastingly(otherwise: string, run: () => Promise<void>, signal: AbortSignal): Promise<void> {
    const { clock, timers, logger } = this.ports;
    let pauseMs = firstRetryMs;
    while (!signal.aborted) {
      const began = clock.monotonic();
      try {
        return await run();
      } catch (error) {
        if (!this.passes(error)) throw error;
        if (clock.monotonic() - began > lastRetryMs) pauseMs = firstRetryMs;
        logger.error({ err: error }, `${otherwise} for now; it will be tried again`);
      }
      await timers.sleep(pauseMs, signal);
      pauseMs = Math.min(2 * pauseMs, lastRetryMs);
    }
  }

  private passes(error: unknown): boolean {
    return error instanceof ViewsUnavailable || (error instanceof StoreUnavailable && this.storeElsewhere);
  }

  private async askStore(): Promise<boolean> {
    const { store, timers } = this.ports;
    const answered = new AbortController();
    const answer = store.head().then(
      () => true,
      () => false,
    );
    const late = timers.sleep(answersWithinMs, answered.signal).then(() => false);
    return Promise.race([answer, late]).finally(() => answered.abort());
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
