/**
 * Reading and writing aggregates. An append repeats its decision until the stream stands still under it: whoever loses a race reads again and decides
 * again, so that exactly one of many wins and the others are told what they found.
 */
import {
  evolve,
  type EventMetadata,
  type Recorded,
  unborn,
  type WorkspaceEvent,
  type WorkspaceId,
  type WorkspaceState,
} from '@vw/domain';
import { type AppendResult, type EventStore, type ExpectedRevision, WrongExpectedRevision } from '@vw/event-store';
import { decodeEvent, encodeEvent } from '@vw/projections';
import { nameBasedId } from '@vw/runtime';

export type LedgerEvent = { readonly type: string; readonly data: unknown };

export interface LoadedWorkspace {
  readonly state: WorkspaceState;
  readonly history: readonly Recorded<WorkspaceEvent>[];
}

/** How often a decision is made again before the writer gives up: far above what racing other processes needs. */
const maxAttempts = 1000;

export class Streams {
  /** Whose turn it is on each stream that somebody is deciding on; each promise resolves, whatever came of it. */
  private readonly turns = new Map<string, Promise<void>>();

  constructor(private readonly store: EventStore) {}

  async workspace(id: WorkspaceId): Promise<LoadedWorkspace> {
    const history: Recorded<WorkspaceEvent>[] = [];
    let state = unborn;
    for await (const recorded of this.read<WorkspaceEvent>(`workspace-${id}`)) {
      history.push(recorded);
      state = evolve(state, recorded);
    }
    return { state, history };
  }

  async *read<E>(stream: string): AsyncIterable<Recorded<E>> {
    for await (const stored of this.store.readStream(stream)) {
      const { event, metadata, revision, position } = decodeEvent(stored) as unknown as Recorded<E>;
      yield { event, metadata, revision, position };
    }
  }

  async fold<S, E>(stream: string, initial: S, step: (state: S, recorded: Recorded<E>) => S): Promise<S> {
    let state = initial;
    for await (const recorded of this.read<E>(stream)) state = step(state, recorded);
    return state;
  }

  /**
   * Appends under the given cause, whose parts name the events: the same cause appended again writes nothing.
   * @throws WrongExpectedRevision when the stream has moved
   */
  append(
    stream: string,
    revision: number,
    events: readonly LedgerEvent[],
    metadata: EventMetadata,
    cause: readonly string[],
  ): Promise<AppendResult> {
    const expected: ExpectedRevision = revision < 0 ? 'no-stream' : revision;
    const encoded = events.map((event, index) => ({
      id: nameBasedId(stream, ...cause, String(index)),
      ...encodeEvent(event as never, metadata),
    }));
    return this.store.append(stream, expected, encoded);
  }

  /**
   * Runs one read-decide-append on the stream until it does not lose the race. Within this process one runs at a time, so that many at once cost what they cost
   * one after another; against other processes the expected revision decides, and alone makes it correct. An attempt must not settle its own stream again.
   */
  async settle<R>(stream: string, attempt: () => Promise<R>): Promise<R> {
    const settled = (this.turns.get(stream) ?? Promise.resolve()).then(() => untilSettled(attempt));
    const turn = settled.then(nothing, nothing);
    this.turns.set(stream, turn);
    try {
      return await settled;
    } finally {
      if (this.turns.get(stream) === turn) this.turns.delete(stream);
    }
  }
}

const nothing = () => undefined;

async function untilSettled<R>(attempt: () => Promise<R>): Promise<R> {
  for (let n = 1; ; n += 1) {
    try {
      return await attempt();
    } catch (error) {
      if (!(error instanceof WrongExpectedRevision) || n >= maxAttempts) throw error;
    }
  }
}
