/** A bus with a ledger at its other end, as one agent sees it. What is published is kept; what is delivered gets its verdict back. */
import type { Evidence, Heartbeat, HostMessage } from '@vw/contracts';
import { type Bus, BusTimeout, BusUnavailable, type Delivery, type Payload, type Verdict } from '@vw/messaging';
import { schemaGuard } from '@vw/runtime';

const evidenceGuard = schemaGuard<Evidence>('messages/evidence');
const heartbeatGuard = schemaGuard<Heartbeat>('messages/heartbeat');

type Handler = (delivery: Delivery) => Promise<Verdict>;
type Responder = (delivery: Delivery) => Promise<Payload>;

export interface Published {
  readonly subject: string;
  readonly payload: Payload;
}

export class BusDouble implements Bus {
  readonly published: Published[] = [];
  /** What was wrong with what was published. */
  readonly malformed: string[] = [];
  /** Whether the ledger acknowledges the evidence that reaches it. */
  acknowledging = true;
  outOfReach = false;
  readonly #responders = new Map<string, Responder>();
  readonly #changed = new Set<() => void>();
  #consumer: Handler | undefined;
  #line: Promise<unknown> = Promise.resolve();

  constructor(private readonly hostId: string) {}

  get evidence(): readonly Evidence[] {
    const subject = `vw.evidence.${this.hostId}`;
    return this.published.filter((one) => one.subject === subject).map(({ payload }) => payload as unknown as Evidence);
  }

  /** The agent's process is gone; the bus is not. */
  hangUp(): void {
    this.#consumer = undefined;
    this.#responders.clear();
  }

  /** One message at a time, and in order; false when no agent listens. */
  deliver(payload: HostMessage | Payload): Promise<Verdict | false> {
    const handed = this.#line.then(async () => {
      const copy = structuredClone(payload) as Payload;
      return (await this.#consumer?.({ subject: `vw.task.${this.hostId}`, payload: copy, attempt: 1 })) ?? false;
    });
    // An agent that dies with the message in its hands answers nothing, and holds up nobody.
    this.#line = Promise.race([handed, this.#consumerGone()]).catch(() => undefined);
    return handed;
  }

  /** Resolves when the condition holds; looked at whenever something was published or somebody came. */
  async until<T>(look: () => T | undefined | false): Promise<T> {
    for (;;) {
      const seen = look();
      if (seen !== undefined && seen !== false) return seen;
      await new Promise<void>((resolve) => this.#changed.add(resolve));
    }
  }

  async publish(subject: string, payload: Payload): Promise<void> {
    if (this.outOfReach) throw new BusUnavailable('the bus is out of reach');
    const copy = JSON.parse(JSON.stringify(payload)) as Payload;
    this.#judge(subject, copy);
    this.published.push({ subject, payload: copy });
    this.#tell();
    const { hostId } = this;
    if (subject !== `vw.evidence.${hostId}` || !this.acknowledging) return;
    const { bootId, seq } = copy as unknown as Evidence;
    void this.deliver({ type: 'acknowledged', hostId, bootId, seq });
  }

  async request(subject: string, payload: Payload, timeoutMs: number): Promise<Payload> {
    const responder = this.#responders.get(subject);
    if (responder === undefined) throw new BusTimeout(subject, timeoutMs);
    return responder({ subject, payload, attempt: 1 });
  }

  respond(subject: string, _group: string, handler: Responder, signal: AbortSignal): void {
    this.#responders.set(subject, handler);
    signal.addEventListener('abort', () => this.#responders.delete(subject));
  }

  async consume(_durable: string, _subject: string, handler: Handler, signal: AbortSignal): Promise<void> {
    if (this.outOfReach) throw new BusUnavailable('the bus is out of reach');
    this.#consumer = handler;
    this.#tell();
    await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve()));
    if (this.#consumer === handler) this.#consumer = undefined;
  }

  subscribe(): void {
    // Nobody here listens to what has no promise.
  }

  async close(): Promise<void> {
    this.hangUp();
  }

  async #consumerGone(): Promise<void> {
    const handler = this.#consumer;
    while (handler !== undefined && this.#consumer === handler) {
      await new Promise<void>((resolve) => this.#changed.add(resolve));
    }
  }

  /** A ledger drops what does not fit its schema, and never acknowledges it: here it is an error of the agent. */
  #judge(subject: string, payload: Payload): void {
    const judged = subject.startsWith('vw.evidence.') ? evidenceGuard(payload) : heartbeatGuard(payload);
    if (judged.ok) return;
    this.malformed.push(`${subject}: ${JSON.stringify(judged.faults)}`);
  }

  #tell(): void {
    const waiting = [...this.#changed];
    this.#changed.clear();
    for (const wake of waiting) wake();
  }
}
