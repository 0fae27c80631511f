/**
 * Reading and writing aggregates. An append repeats its decision until the stream stands still under it: whoever loses a race reads again and decides
 * again, so that exactly one of many wins and the others are told what they found.
 */
import type { EventMetadata, Recorded, WorkspaceEvent, WorkspaceId } from '@vw/domain';
import {
  type AppendResult,
  type EventStore,
  type ExpectedRevision,
  type RecordedEvent,
  StoreUnavailable,
  WrongExpectedRevision,
} from '@vw/event-store';
import { decodeEvent, encodeEvent } from '@vw/projections';
import { nameBasedId } from '@vw/runtime';
import { type LoadedWorkspace, RememberedWorkspaces } from './remembered.js';

export type LedgerEvent = { readonly type: string; readonly data: unknown };

/** How often a decision is made again before the writer gives up: far above what racing other processes needs. */
const maxAttempts = 1000;

export class Streams {
  /** Whose turn it is on each stream that somebody is deciding on; each promise resolves, with the store's word where it was away. */
  private readonly turns = new Map<string, Promise<StoreUnavailable | undefined>>();

  private readonly remembered = new RememberedWorkspaces();

  constructor(private readonly store: EventStore) {}

  /** The workspace as its stream says now. */
  async workspace(id: WorkspaceId): Promise<LoadedWorkspace> {
    const known = this.remembered.recall(id);
    const news: Recorded<WorkspaceEvent>[] = [];
    for await (const recorded of this.read<WorkspaceEvent>(`workspace-${id}`, known.state.revision + 1)) {
      news.push(recorded);
    }
    return this.remembered.extend(id, known, news);
  }

  /** The workspace as far as it was read before: true of the past, perhaps behind. What is decided on it holds if the stream still stands there. */
  recalled(id: WorkspaceId): LoadedWorkspace {
    return this.remembered.recall(id);
  }

  /** The workspace after an event that a follower of the log has come to, or later. */
  async reached(event: RecordedEvent): Promise<LoadedWorkspace> {
    const id = event.stream.slice('workspace-'.length) as WorkspaceId;
    const known = this.remembered.recall(id);
    if (known.state.revision >= event.revision) return known;
    if (known.state.revision + 1 < event.revision) return this.workspace(id);
    return this.remembered.extend(id, known, [decoded<WorkspaceEvent>(event)]);
  }

  async *read<E>(stream: string, from = 0): AsyncIterable<Recorded<E>> {
    for await (const stored of this.store.readStream(stream, { from })) yield decoded<E>(stored);
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
   * Where one has waited for a store in vain, so have all that wait behind it, and none of them waits as long again.
   */
  async settle<R>(stream: string, attempt: () => Promise<R>): Promise<R> {
    const settled = (this.turns.get(stream) ?? Promise.resolve(undefined)).then((away) => {
      if (away !== undefined) throw away;
      return untilSettled(attempt);
    });
    const turn = settled.then(nothing, asAway);
    this.turns.set(stream, turn);
    try {
      return await settled;
    } finally {
      if (this.turns.get(stream) === turn) this.turns.delete(stream);
    }
  }
}

const nothing = () => undefined;
const asAway = (error: unknown) => (error instanceof StoreUnavailable ? error : undefined);

function decoded<E>(stored: RecordedEvent): Recorded<E> {
  const { event, metadata, revision, position } = decodeEvent(stored) as unknown as Recorded<E>;
  return { event, metadata, revision, position };
}

async function untilSettled<R>(attempt: () => Promise<R>): Promise<R> {
  for (let n = 1; ; n += 1) {
    try {
      return await attempt();
    } catch (error) {
      if (!(error instanceof WrongExpectedRevision) || n >= maxAttempts) throw error;
    }
  }
}
