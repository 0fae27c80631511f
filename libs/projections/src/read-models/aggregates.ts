/**
 * The states of one category's aggregates while their events are folded: those lately touched stay in memory, the rest is read
 * back from the table. What a batch has changed is in memory until it is written, so a batch's length bounds the overhang.
 */
import type { Instant, Recorded } from '@vw/domain';
import { OutOfOrder } from '../errors.js';

export interface Aggregate<State> {
  state: State;
  /** When its last event was recorded. */
  updatedAt: Instant;
  changed: boolean;
}

export interface AggregateRules<State, E> {
  /** The state before the first event. */
  readonly initial: State;
  evolve(state: State, recorded: Recorded<E>): State;
  /** The row in the table, as it was last written. */
  load(id: string): { readonly state: State; readonly updatedAt: Instant } | undefined;
}

export class Aggregates<State extends { readonly revision: number }, E> {
  readonly #rules: AggregateRules<State, E>;
  readonly #generation: number;
  /** Two generations make a cheap least-recently-used order: whatever is touched moves into the younger one. */
  #young = new Map<string, Aggregate<State>>();
  #old = new Map<string, Aggregate<State>>();
  #changed: Aggregate<State>[] = [];

  constructor(rules: AggregateRules<State, E>, cachedStates: number) {
    this.#rules = rules;
    this.#generation = Math.ceil(cachedStates / 2);
  }

  /** @throws OutOfOrder when the event is not the one after the aggregate's last (invariant I7) */
  fold(recorded: Recorded<E> & { readonly stream: string; readonly id: string }): void {
    const aggregate = this.#find(recorded.stream, recorded.id);
    const expected = aggregate.state.revision + 1;
    if (recorded.revision !== expected) {
      throw new OutOfOrder(`stream ${recorded.stream} continues with event ${recorded.revision}, expected ${expected}`);
    }
    aggregate.state = this.#rules.evolve(aggregate.state, recorded);
    aggregate.updatedAt = recorded.metadata.recordedAt;
    if (aggregate.changed) return;
    aggregate.changed = true;
    this.#changed.push(aggregate);
  }

  /** What changed since the last call. The caller writes it now, for it may leave memory afterwards. */
  takeChanged(): readonly Aggregate<State>[] {
    const changed = this.#changed;
    this.#changed = [];
    for (const aggregate of changed) aggregate.changed = false;
    if (this.#young.size >= this.#generation) {
      this.#old = this.#young;
      this.#young = new Map();
    }
    return changed;
  }

  forget(): void {
    this.#young.clear();
    this.#old.clear();
    this.#changed = [];
  }

  /** By the stream's name, which every view looks up: a text's hash is computed once, a cut-out id's each time. */
  #find(stream: string, id: string): Aggregate<State> {
    const young = this.#young.get(stream);
    if (young !== undefined) return young;
    const found = this.#old.get(stream) ?? this.#load(id);
    this.#young.set(stream, found);
    return found;
  }

  #load(id: string): Aggregate<State> {
    const row = this.#rules.load(id);
    return { state: row?.state ?? this.#rules.initial, updatedAt: row?.updatedAt ?? 0, changed: false };
  }
}
