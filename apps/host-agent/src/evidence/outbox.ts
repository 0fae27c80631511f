/**
 * What was observed, on its way to the ledger (PROTOCOL.md, "From intent to outcome", 5).
 *
 *  1. Evidence is journalled before it is published, and published until it is acknowledged: at once, then with back-off. A restart takes up
 *     what is unsettled under its own (bootId, seq); a crash between the two steps costs a repetition.
 *  2. `observed` says what is true now, so newer evidence of the same epoch makes it outdated, and it is not sent any more.
 *  3. `observed` waits for older evidence of its workspace: the ledger would drop what it sees beside an open intent, and the outcome that
 *     comes after it would then have the last word, although it is older.
 *  4. No message id: the bus would swallow the repetition that makes up for a lost acknowledgement.
 */
import { type Evidence, type Id, type Observation, subjects } from '@vw/contracts';
import type { Bus } from '@vw/messaging';
import type { Clock, Logger, Timers } from '@vw/runtime';
import type { Counters } from '../counters.js';
import type { Journal, JournalRecord } from '../journal/index.js';

/** The longest pause between two publications, as a multiple of the first. */
const MOST_PATIENT = 32;

export interface Finding {
  readonly workspaceId: Id;
  readonly epoch: number;
  /** The task it answers. */
  readonly requestId?: Id;
  readonly observation: Observation;
}

interface Parcel {
  readonly evidence: Evidence;
  readonly settled: AbortController;
}

export class Outbox {
  /** Unsettled, oldest first. */
  readonly #parcels = new Map<string, Parcel>();
  readonly #deliveries = new Set<Promise<void>>();
  #lastSeq = 0;

  constructor(
    private readonly hostId: Id,
    private readonly bootId: Id,
    private readonly retryMs: number,
    private readonly journal: Journal,
    private readonly bus: Bus,
    private readonly clock: Clock,
    private readonly timers: Timers,
    private readonly logger: Logger,
    private readonly counters: Counters,
    private readonly closed: AbortSignal,
  ) {}

  /** Takes up what earlier boots have said and nobody has acknowledged. */
  resume(): void {
    for (const evidence of this.journal.known.unsettled()) this.#send(evidence);
  }

  /** Resolves when the evidence is durable; it is published from then on. @throws JournalUnavailable */
  async report({ workspaceId, epoch, requestId, observation }: Finding): Promise<void> {
    const { hostId, bootId } = this;
    const seq = (this.#lastSeq += 1);
    const observedAt = this.clock.now();
    const evidence: Evidence = { hostId, bootId, seq, workspaceId, epoch, requestId, observedAt, observation };
    const outdated = [...this.#parcels.values()].filter((older) => isOutdated(older.evidence, evidence));
    await this.journal.append({ type: 'evidence', evidence }, ...outdated.map((older) => settlementOf(older.evidence)));
    for (const older of outdated) this.#settle(older.evidence);
    this.#send(evidence);
  }

  /** For a ledger that asks for it once more: what was acknowledged may have been lost with what it was written to. */
  async repeat(evidence: Evidence): Promise<void> {
    await this.#publish(evidence);
  }

  async acknowledge(bootId: Id, seq: number): Promise<void> {
    const parcel = this.#parcels.get(nameOf({ bootId, seq }));
    if (parcel === undefined) return;
    await this.journal.append(settlementOf(parcel.evidence));
    this.#settle(parcel.evidence);
    this.counters.acknowledged += 1;
  }

  /** Resolves when nothing is being published any more; to be called after `closed` has been aborted. */
  async finished(): Promise<void> {
    await Promise.all(this.#deliveries);
  }

  #send(evidence: Evidence): void {
    const elders = evidence.observation.kind === 'observed' ? this.#eldersOf(evidence) : [];
    const settled = new AbortController();
    this.#parcels.set(nameOf(evidence), { evidence, settled });
    const over = AbortSignal.any([settled.signal, this.closed]);
    const delivery = this.#deliver(evidence, elders, over);
    this.#deliveries.add(delivery);
    void delivery.finally(() => this.#deliveries.delete(delivery));
  }

  #eldersOf({ workspaceId }: Evidence): readonly AbortSignal[] {
    const elders = [...this.#parcels.values()].filter((older) => older.evidence.workspaceId === workspaceId);
    return elders.map(({ settled }) => settled.signal);
  }

  async #deliver(evidence: Evidence, elders: readonly AbortSignal[], over: AbortSignal): Promise<void> {
    for (const elder of elders) await aborted(AbortSignal.any([elder, over]));
    let pauseMs = this.retryMs;
    while (!over.aborted) {
      await this.#publish(evidence);
      await this.timers.sleep(pauseMs, over);
      pauseMs = Math.min(pauseMs * 2, this.retryMs * MOST_PATIENT);
    }
  }

  async #publish(evidence: Evidence): Promise<void> {
    try {
      await this.bus.publish(subjects.evidence(this.hostId), { ...evidence });
      this.counters.published += 1;
    } catch (error) {
      this.logger.debug({ err: error, seq: evidence.seq }, 'evidence could not be published; it will be tried again');
    }
  }

  #settle(evidence: Evidence): void {
    const name = nameOf(evidence);
    this.#parcels.get(name)?.settled.abort();
    this.#parcels.delete(name);
  }
}

const nameOf = ({ bootId, seq }: Pick<Evidence, 'bootId' | 'seq'>): string => `${bootId}/${seq}`;

const settlementOf = ({ bootId, seq }: Evidence): JournalRecord => ({ type: 'settled', bootId, seq });

/** An `observed` that answers a task is its answer, and stays. */
function isOutdated(older: Evidence, newer: Evidence): boolean {
  const speaksOfNow = older.observation.kind === 'observed' && older.requestId === undefined;
  return speaksOfNow && older.workspaceId === newer.workspaceId && older.epoch === newer.epoch;
}

async function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return;
  await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
}
