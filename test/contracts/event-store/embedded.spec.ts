/** The embedded store keeps the port's contract, and is stricter where the port leaves it open. */
import { randomUUID } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { METADATA_TYPE, openEmbeddedStore, START, WrongExpectedRevision } from '@vw/event-store';
import { systemClock } from '@vw/runtime';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { OpenedStore } from './suite.js';
import { collect, eventStoreContract, events } from './suite.js';

async function openEmbedded(): Promise<OpenedStore> {
  const folder = await mkdtemp(join(tmpdir(), 'event-store-'));
  const file = join(folder, 'log.db');
  const open = () => openEmbeddedStore({ file, clock: systemClock });
  let current = await open();
  return {
    store: current,
    location: file,
    administration: {
      delete: async (stream) => void (await current.remove(stream, 'any', 'delete')),
      tombstone: async (stream) => void (await current.remove(stream, 'any', 'tombstone')),
      setMetadata: async (stream, metadata) => {
        const data = Buffer.from(JSON.stringify(metadata));
        const event = {
          id: randomUUID(),
          type: METADATA_TYPE,
          contentType: 'json' as const,
          data,
          metadata: Buffer.alloc(0),
        };
        await current.write(`$$${stream}`, 'any', [event]);
      },
    },
    reopen: async () => {
      await current.close();
      current = await open();
      return current;
    },
    // Who writes keeps the store, so it is the writers that are killed.
    crash: (writers) => writers.kill(),
    dispose: async () => {
      await current.close();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

eventStoreContract('embedded', openEmbedded);

describe('an id that the stream has already', () => {
  let opened: OpenedStore;

  beforeEach(async () => {
    opened = await openEmbedded();
  });

  afterEach(() => opened.dispose());

  it('is refused at the head of the stream, and twice in one append', async () => {
    const { store } = opened;
    const [known] = events(1);
    const [twice] = events(1);
    if (!known || !twice) throw new Error('no event was made');
    await store.append('w-1', 'no-stream', [known]);
    for (const append of [
      store.append('w-1', 0, [...events(2), known]),
      store.append('w-2', 'no-stream', [twice, twice]),
    ]) {
      await expect(append).rejects.toBeInstanceOf(WrongExpectedRevision);
    }
    expect(await collect(store.readAll(START))).toHaveLength(1);
    expect((await store.append('w-1', 0, events(1))).revision).toBe(1);
    expect((await store.append('w-2', 'no-stream', [twice])).revision).toBe(0);
  });
});
