/**
 * What the records amount to. It changes only by `apply`, after the record is on the disk; so what a restart finds is what was known.
 */
import type { Evidence, Id, Task } from '@vw/contracts';
import type { JournalRecord, Released } from './records.js';

interface Epochs {
  readonly highest: number;
  readonly closedThrough: number;
}

interface Said {
  readonly evidence: Evidence;
  settled: boolean;
}

const NO_EPOCHS: Epochs = { highest: 0, closedThrough: 0 };

/** Slashes are in no id, so no two names fall together. */
const nameOf = (id: Id, detail: Id | number): string => `${id}/${detail}`;

export class Memory {
  readonly #epochs = new Map<Id, Epochs>();
  readonly #open = new Map<string, Task>();
  readonly #cancelled = new Map<string, { readonly workspaceId: Id; readonly taskId: Id }>();
  /** By (bootId, seq), in the order in which it was said. */
  readonly #said = new Map<string, Said>();
  readonly #answers = new Map<string, Said>();
  readonly #released = new Map<Id, Released>();

  apply(record: JournalRecord): void {
    switch (record.type) {
      case 'task':
        return this.#take(record.task);
      case 'cancelled':
        this.#cancelled.set(nameOf(record.workspaceId, record.taskId), record);
        return;
      case 'evidence':
        return this.#say(record.evidence);
      case 'settled':
        return this.#settle(nameOf(record.bootId, record.seq));
      case 'released':
        this.#released.set(record.workspaceId, record);
        return;
      case 'closed':
        return this.#close(record.workspaceId, record.epoch);
      case 'seen':
        return this.#see(record.workspaceId, record.epoch);
      case 'epochs':
        this.#epochs.set(record.workspaceId, record);
        return;
    }
  }

  /** 0 where no task of the workspace was ever taken. */
  highestEpoch(workspaceId: Id): number {
    return this.#epochsOf(workspaceId).highest;
  }

  isClosed(workspaceId: Id, epoch: number): boolean {
    return epoch <= this.#epochsOf(workspaceId).closedThrough;
  }

  /** Invariant I3: an agent never acts below its stored epoch or on a closed one. */
  isStale(workspaceId: Id, epoch: number): boolean {
    return this.isClosed(workspaceId, epoch) || epoch < this.highestEpoch(workspaceId);
  }

  isOpen(workspaceId: Id, taskId: Id): boolean {
    return this.#open.has(nameOf(workspaceId, taskId));
  }

  isCancelled(workspaceId: Id, taskId: Id): boolean {
    return this.#cancelled.has(nameOf(workspaceId, taskId));
  }

  answerTo(workspaceId: Id, taskId: Id): Evidence | undefined {
    return this.#answers.get(nameOf(workspaceId, taskId))?.evidence;
  }

  released(workspaceId: Id, epoch: number, taskId: Id): Released | undefined {
    const released = this.#released.get(workspaceId);
    return released?.epoch === epoch && released.taskId === taskId ? released : undefined;
  }

  /** Tasks without an answer, in the order in which they came. */
  openTasks(): readonly Task[] {
    return [...this.#open.values()];
  }

  /** Evidence that the ledger may not have, oldest first. */
  unsettled(): readonly Evidence[] {
    return [...this.#said.values()].filter(({ settled }) => !settled).map(({ evidence }) => evidence);
  }

  isUnsettled(bootId: Id, seq: number): boolean {
    return this.#said.get(nameOf(bootId, seq))?.settled === false;
  }

  /** The fewest records that amount to the same. */
  *essence(): Iterable<JournalRecord> {
    for (const [workspaceId, epochs] of this.#epochs) yield { ...epochs, type: 'epochs', workspaceId };
    for (const task of this.#open.values()) yield { type: 'task', task };
    for (const { workspaceId, taskId } of this.#cancelled.values()) yield { type: 'cancelled', workspaceId, taskId };
    yield* this.#released.values();
    for (const { evidence, settled } of this.#said.values()) {
      yield { type: 'evidence', evidence };
      if (settled) yield { type: 'settled', bootId: evidence.bootId, seq: evidence.seq };
    }
  }

  #epochsOf(workspaceId: Id): Epochs {
    return this.#epochs.get(workspaceId) ?? NO_EPOCHS;
  }

  #see(workspaceId: Id, epoch: number): void {
    const { highest, closedThrough } = this.#epochsOf(workspaceId);
    this.#epochs.set(workspaceId, { highest: Math.max(highest, epoch), closedThrough });
  }

  #take(task: Task): void {
    const { workspaceId, taskId, epoch } = task;
    this.#see(workspaceId, epoch);
    if (this.answerTo(workspaceId, taskId) === undefined) this.#open.set(nameOf(workspaceId, taskId), task);
  }

  #say(evidence: Evidence): void {
    const said = { evidence, settled: false };
    this.#said.set(nameOf(evidence.bootId, evidence.seq), said);
    if (evidence.requestId === undefined) return;
    const task = nameOf(evidence.workspaceId, evidence.requestId);
    this.#answers.set(task, said);
    this.#open.delete(task);
    this.#cancelled.delete(task);
    if (this.#released.get(evidence.workspaceId)?.taskId === evidence.requestId)
      this.#released.delete(evidence.workspaceId);
  }

  #settle(name: string): void {
    const said = this.#said.get(name);
    if (said === undefined) return;
    said.settled = true;
    this.#forgetIfSpent(name, said);
  }

  #close(workspaceId: Id, epoch: number): void {
    const { highest, closedThrough } = this.#epochsOf(workspaceId);
    this.#epochs.set(workspaceId, { highest: Math.max(highest, epoch), closedThrough: Math.max(closedThrough, epoch) });
    for (const [name, said] of this.#said) {
      if (said.evidence.workspaceId === workspaceId) this.#forgetIfSpent(name, said);
    }
  }

  /** Settled answers are kept while their epoch is open: a late copy of a start, after the stop, must find that it was answered. */
  #forgetIfSpent(name: string, { evidence, settled }: Said): void {
    const { workspaceId, requestId, epoch } = evidence;
    if (!settled || (requestId !== undefined && !this.isClosed(workspaceId, epoch))) return;
    this.#said.delete(name);
    if (requestId !== undefined) this.#answers.delete(nameOf(workspaceId, requestId));
  }
}
