/**
 * Which hosts answer (PROTOCOL.md, "Losing a host"). Heartbeats are not events; what changes is: a host that connects, falls silent, returns. After
 * a restart of the ledger every connected host is given a full silence to speak, before it is called lost.
 */
import { type Heartbeat, subjects } from '@vw/contracts';
import {
  decideHost,
  type EventMetadata,
  evolveHost,
  type HostCommand,
  type HostEvent,
  type HostId,
  type HostState,
  ledgerSubject,
  type Principal,
  unknownHost,
} from '@vw/domain';
import type { Bus, Delivery } from '@vw/messaging';
import { type Clock, type Ids, type Logger, schemaGuard, type Timers } from '@vw/runtime';
import type { Streams } from '../commands/streams.js';

const guard = schemaGuard<Heartbeat>('messages/heartbeat');
const ledger: Principal = { subject: ledgerSubject, attributes: {}, method: 'ledger' };

export interface HostWatchTiming {
  /** A silence of this length means that the host is lost. */
  readonly lostAfterMs: number;
  readonly sweepEveryMs: number;
}

interface Heard {
  /** Wall clock of the last heartbeat, for the record. */
  at: number;
  /** Monotonic, for the silence. */
  since: number;
  /** What the last recorded heartbeat said, to tell news from repetition; empty when it must be looked up. */
  news: string;
}

export class HostWatch {
  private readonly heard = new Map<HostId, Heard>();
  private pending: Promise<void> = Promise.resolve();

  constructor(
    private readonly streams: Streams,
    private readonly bus: Bus,
    private readonly known: () => readonly HostState[],
    private readonly timing: HostWatchTiming,
    private readonly clock: Clock,
    private readonly timers: Timers,
    private readonly ids: Ids,
    private readonly logger: Logger,
  ) {}

  /** When the host was last heard, by the ledger's wall clock. */
  lastHeard(hostId: HostId): number | undefined {
    return this.heard.get(hostId)?.at;
  }

  async run(signal: AbortSignal): Promise<void> {
    this.bus.subscribe(subjects.anyHeartbeat, (delivery) => this.enqueue(() => this.hear(delivery)), signal);
    while (!signal.aborted) {
      await this.timers.sleep(this.timing.sweepEveryMs, signal);
      if (!signal.aborted) this.enqueue(() => this.sweep());
    }
    await this.pending;
  }

  /** One at a time, so that a heartbeat and the sweep never judge the same silence differently. */
  private enqueue(work: () => Promise<void>): void {
    this.pending = this.pending.then(work).catch((error: unknown) => {
      this.logger.error({ err: error }, 'what was heard of a host could not be recorded yet');
    });
  }

  private async hear(delivery: Delivery): Promise<void> {
    const judged = guard(delivery.payload);
    if (!judged.ok || delivery.subject !== subjects.heartbeat(judged.value.hostId)) {
      this.logger.warn({ subject: delivery.subject }, 'a heartbeat that no agent would send was dropped');
      return;
    }
    const { bootId, capacity } = judged.value;
    const hostId = judged.value.hostId as HostId;
    const news = JSON.stringify([bootId, capacity]);
    const before = this.heard.get(hostId);
    const entry: Heard = { at: this.clock.now(), since: this.clock.monotonic(), news: before?.news ?? '' };
    this.heard.set(hostId, entry);
    if (entry.news === news) return;
    await this.record(hostId, { type: 'hear', hostId, bootId, capacity });
    entry.news = news;
  }

  private async sweep(): Promise<void> {
    for (const { hostId, kind } of this.known()) {
      if (kind !== 'connected') continue;
      const now = this.clock.monotonic();
      const heard = this.heard.get(hostId);
      if (heard === undefined) {
        this.heard.set(hostId, { at: this.clock.now(), since: now, news: '' });
      } else if (now - heard.since > this.timing.lostAfterMs) {
        await this.record(hostId, { type: 'lose', lastHeard: heard.at });
        heard.news = '';
      }
    }
  }

  private async record(hostId: HostId, command: HostCommand): Promise<void> {
    const stream = `host-${hostId}`;
    await this.streams.settle(stream, async () => {
      const state = await this.streams.fold<HostState, HostEvent>(stream, unknownHost, evolveHost);
      const decision = decideHost(state, command);
      if (decision.kind !== 'accepted') return;
      const id = this.ids.next();
      const metadata: EventMetadata = {
        schemaVersion: 1,
        principal: ledger,
        recordedAt: this.clock.now(),
        correlationId: id,
        causationId: id,
      };
      await this.streams.append(stream, state.revision, decision.events, metadata, [id]);
      this.logger.info({ hostId, events: decision.events.map((event) => event.type) }, 'host');
    });
  }
}
