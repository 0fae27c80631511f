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

/** How often a decision is made again before the writer gives up: far above what fair racing needs. */
const maxAttempts = 1000;

export class Streams {
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

  /** Runs one read-decide-append until it does not lose the race. */
  async settle<R>(attempt: () => Promise<R>): Promise<R> {
    for (let n = 1; ; n += 1) {
      try {
        return await attempt();
      } catch (error) {
        if (!(error instanceof WrongExpectedRevision) || n >= maxAttempts) throw error;
      }
    }
  }
}
