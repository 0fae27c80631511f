/** Invariant I11: a view is the fold of the log up to its position, however the events came; and a replay from zero gives the same bytes. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { DecodedWorkspaceEvent, OperationRow, Views } from '@vw/projections';
import { canonicalDigest, canonicalViews, decodeEvent, openViews, rebuildViews } from '@vw/projections';
import type { IntentKind, WorkspaceState } from '@vw/domain';
import { foldWorkspace } from '@vw/domain';
import type { RecordedEvent } from '@vw/event-store';
import fc from 'fast-check';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { seeded, Site } from './lifecycles.js';
import { LogInMemory } from './log-in-memory.js';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'fold-invariant-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

/** A stretch of the log that the views follow, with limits of their own, before they are closed and opened again. */
const stretch = fc.record({
  events: fc.integer({ min: 1, max: 120 }),
  pieces: fc.integer({ min: 1, max: 5 }),
  limits: fc.record({ batchEvents: fc.integer({ min: 1, max: 40 }), cachedStates: fc.integer({ min: 1, max: 12 }) }),
});

const history = fc.record({
  seed: fc.nat(),
  workspaces: fc.integer({ min: 1, max: 12 }),
  oddity: fc.integer({ min: 0, max: 60 }),
  stretches: fc.array(stretch, { minLength: 1, maxLength: 5 }),
});

test('the views are the fold of the log, whatever the batches, the restarts and the evictions', async () => {
  let files = 0;
  await fc.assert(
    fc.asyncProperty(history, async ({ seed, workspaces, oddity, stretches }) => {
      const events = logOf(
        seed,
        workspaces,
        oddity,
        stretches.reduce((sum, { events: count }) => sum + count, 0),
      );
      const store = new LogInMemory();
      const file = join(folder, `${(files += 1)}.db`);
      let from = 0;
      for (const { events: count, pieces, limits } of stretches) {
        const views = await openViews({ file, store, limits });
        const stop = new AbortController();
        const running = views.run(stop.signal);
        const size = Math.ceil(count / pieces);
        // A site where every step is refused makes a shorter log than was wished for.
        for (const end = Math.min(from + count, events.length); from < end;) {
          const piece = events.slice(from, Math.min(from + size, end));
          store.publish(piece);
          from += piece.length;
          await views.waitFor(await store.head(), stop.signal);
        }
        stop.abort();
        await running;
        expectFold(views, events.slice(0, from));
        views.close();
      }
      const rebuilt = join(folder, `${files}-rebuilt.db`);
      await rebuildViews({ file: rebuilt, store });
      expect([...canonicalViews(file)]).toEqual([...canonicalViews(rebuilt)]);
      expect(canonicalDigest(file)).toBe(canonicalDigest(rebuilt));
    }),
    { numRuns: 60 },
  );
});

function logOf(seed: number, workspaces: number, oddity: number, length: number): readonly RecordedEvent[] {
  const site = new Site({ choose: seeded(seed), workspaces, oddity });
  // Everything that is left may be refused for a long while, so the steps are bounded and not only the events.
  for (let step = 0; site.log.length < length && step < length * 50; step += 1) site.step();
  return site.log.slice(0, length);
}

/** Folds the log the plain way, stream by stream, and compares. */
function expectFold(views: Views, log: readonly RecordedEvent[]): void {
  expect(views.position()).toBe(log.at(-1)?.position);
  const streams = new Map<string, DecodedWorkspaceEvent[]>();
  for (const recorded of log) {
    const event = decodeEvent(recorded);
    if (event.category === 'workspace') streams.set(event.id, [...(streams.get(event.id) ?? []), event]);
  }
  const states = [...streams.values()].map((events) => foldWorkspace(events));
  const limit = 1_000_000;
  expect(views.workspaces({ definition: 'any', limit }).items.map(({ state }) => state)).toEqual(plain(byId(states)));
  for (const [id, events] of streams) {
    expect(views.history(id, { limit })).toEqual(
      events.map(({ stream, revision, position }) => ({ stream, revision, position })),
    );
    const requests = events.filter(({ event }) => event.type.endsWith('Requested') && event.type !== 'CancelRequested');
    expect(views.operations({ workspaceId: id, limit }).items.map(({ position }) => position)).toEqual(
      requests.map(({ position }) => position).reverse(),
    );
  }
  expectOperations(views, states);
}

/** An intent is open in the one view exactly where it is in the other. */
function expectOperations(views: Views, states: readonly WorkspaceState[]): void {
  const intents = states.flatMap(({ workspaceId, intent }) =>
    intent.kind === 'none' ? [] : [{ workspaceId, ...intent }],
  );
  type Open = Pick<OperationRow, 'workspaceId' | 'requestId' | 'cancelRequested' | 'revision'> & { kind: IntentKind };
  const pick = ({ workspaceId, requestId, kind, cancelRequested, revision }: Open) =>
    [workspaceId, requestId, kind, cancelRequested, revision].join();
  expect(views.openOperations().map(pick).sort()).toEqual(intents.map(pick).sort());
}

const byId = (states: readonly WorkspaceState[]) => states.toSorted((a, b) => (a.workspaceId < b.workspaceId ? -1 : 1));
const plain = <T>(value: T): T => JSON.parse(JSON.stringify(value)) as T;
