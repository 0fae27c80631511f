/**
 * What comes to this host on its subject: tasks, and acknowledgements of evidence. The bus may lose, repeat and reorder all of it.
 *
 *  1. A message is taken off the bus when its task is journalled (fsync); before that a crash costs a repetition, after it the journal knows.
 *  2. A task that came before is never queued twice: with evidence, the evidence is repeated; without, it is on its way.
 *  3. An observation promises nothing, so it is not journalled: who asks again is answered anew. A cancellation has no evidence of its own.
 *  4. What no ledger would send, or is another host's, is dropped and counted.
 */
import { type HostMessage, type Id, subjects, type Task } from '@vw/contracts';
import type { Bus, Delivery, Verdict } from '@vw/messaging';
import { type Logger, schemaGuard, type Timers } from '@vw/runtime';
import type { Counters } from '../counters.js';
import type { Outbox } from '../evidence/outbox.js';
import type { Journal } from '../journal/index.js';
import type { Performer } from './performer.js';
import type { KeyedQueue } from './queue.js';

const ack: Verdict = { kind: 'ack' };
const later: Verdict = { kind: 'retry', afterMs: 1_000 };
const AFTER_FAULT_MS = 1_000;
/** More than a ledger sends for a host's workspaces; beyond it tasks stay on the bus. */
const MOST_WAITING = 10_000;

const guard = schemaGuard<HostMessage>('messages/host-message');

export class Intake {
  /** One for each task that is on its way. */
  readonly #cancellations = new Map<string, AbortController>();
  #draining = false;

  constructor(
    private readonly hostId: Id,
    private readonly bus: Bus,
    private readonly journal: Journal,
    private readonly outbox: Outbox,
    private readonly performer: Performer,
    private readonly queue: KeyedQueue,
    private readonly timers: Timers,
    private readonly logger: Logger,
    private readonly counters: Counters,
  ) {}

  /** Queues what was taken before and has no evidence, in its order. */
  resume(): void {
    for (const task of this.journal.known.openTasks()) this.#enqueue(task);
  }

  /** Takes messages until the signal aborts, also after the bus was out of reach. */
  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      try {
        await this.bus.consume(
          `agent-${this.hostId}`,
          subjects.task(this.hostId),
          (delivery) => this.#take(delivery),
          signal,
        );
      } catch (error) {
        this.logger.warn({ err: error }, 'the bus is out of reach; it will be tried again');
      }
      await this.timers.sleep(AFTER_FAULT_MS, signal);
    }
  }

  /** From now on tasks stay on the bus; acknowledgements are still taken. */
  drain(): void {
    this.#draining = true;
  }

  async #take({ payload, subject }: Delivery): Promise<Verdict> {
    const judged = guard(payload);
    if (!judged.ok) {
      this.logger.warn({ subject, faults: judged.faults }, 'a message that no ledger would send was dropped');
      this.counters.malformed += 1;
      return ack;
    }
    const message = judged.value;
    const hostId = message.type === 'task' ? message.task.hostId : message.hostId;
    if (hostId !== this.hostId) {
      this.logger.warn({ subject, hostId }, 'a message for another host was dropped');
      this.counters.misdirected += 1;
      return ack;
    }
    try {
      return await this.#settle(message);
    } catch (error) {
      this.logger.error({ err: error }, 'a message could not be written down yet; it stays on the bus');
      return later;
    }
  }

  async #settle(message: HostMessage): Promise<Verdict> {
    switch (message.type) {
      case 'acknowledged':
        await this.outbox.acknowledge(message.bootId, message.seq);
        return ack;
      case 'task':
        return this.#draining || this.queue.length >= MOST_WAITING ? later : this.#takeTask(message.task);
    }
  }

  async #takeTask(task: Task): Promise<Verdict> {
    switch (task.work.kind) {
      case 'observe':
        this.queue.add(task.workspaceId, () => this.performer.observe(task, 'asked for'));
        return ack;
      case 'cancel':
        return this.#cancel(task, task.work.requestId);
      default:
        return this.#begin(task);
    }
  }

  async #begin(task: Task): Promise<Verdict> {
    const { workspaceId, taskId } = task;
    const answer = this.journal.known.answerTo(workspaceId, taskId);
    if (answer !== undefined || this.journal.known.isOpen(workspaceId, taskId)) {
      this.counters.repeated += 1;
      if (answer !== undefined) await this.outbox.repeat(answer);
      return ack;
    }
    await this.journal.append({ type: 'task', task });
    this.counters.taken += 1;
    this.#enqueue(task);
    return ack;
  }

  async #cancel(task: Task, taskId: Id): Promise<Verdict> {
    const { workspaceId } = task;
    const { known } = this.journal;
    const answer = known.answerTo(workspaceId, taskId);
    if (answer !== undefined) {
      await this.outbox.repeat(answer);
      return ack;
    }
    if (!known.isCancelled(workspaceId, taskId)) await this.journal.append({ type: 'cancelled', workspaceId, taskId });
    this.#cancellations.get(nameOf(workspaceId, taskId))?.abort();
    if (!known.isOpen(workspaceId, taskId)) this.queue.add(workspaceId, () => this.performer.prevent(task, taskId));
    return ack;
  }

  #enqueue(task: Task): void {
    const { workspaceId, taskId } = task;
    const name = nameOf(workspaceId, taskId);
    const cancellation = new AbortController();
    if (this.journal.known.isCancelled(workspaceId, taskId)) cancellation.abort();
    this.#cancellations.set(name, cancellation);
    this.queue.add(workspaceId, async () => {
      const verdict = await this.performer.perform(task, cancellation.signal);
      if (verdict === 'done') this.#cancellations.delete(name);
      return verdict;
    });
  }
}

const nameOf = (workspaceId: Id, taskId: Id): string => `${workspaceId}/${taskId}`;
