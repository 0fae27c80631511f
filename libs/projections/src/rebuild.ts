/**
 * The views folded anew from the first event. The new file grows beside the live one and takes its place in one rename, so whatever
 * happens meanwhile, the live one is whole: as it was, or new.
 */
import { closeSync, fsyncSync, mkdirSync, openSync, renameSync } from 'node:fs';
import { dirname } from 'node:path';
import type { EventStore, Position } from '@vw/event-store';
import { START } from '@vw/event-store';
import { createUnfinished, layIndexes, openExisting, removeFile, removeJournals } from './file.js';
import { type Limits, Projector } from './projector.js';

export interface RebuildOptions {
  /** The file of the views, which nobody may have open. */
  readonly file: string;
  readonly store: EventStore;
  readonly onProgress?: (done: { readonly events: number; readonly position: Position }) => void;
  /** Gives up, and leaves the live file as it was. */
  readonly signal?: AbortSignal;
}

export interface Rebuilt {
  readonly events: number;
  readonly position: Position;
}

/** Nobody reads meanwhile, so a batch may take its time; the more events in one, the fewer rows are written twice. */
const limits: Limits = { batchEvents: 40_000, cachedStates: 50_000 };

/**
 * Folds the whole log, up to its head, into a new file at the place of the old one.
 * @throws ViewsInUse when a process has the file open
 * @throws the signal's reason when it aborts
 * @throws UndecodableEvent, OutOfOrder and failures of the store
 */
export async function rebuildViews({ file, store, onProgress, signal }: RebuildOptions): Promise<Rebuilt> {
  mkdirSync(dirname(file), { recursive: true });
  // Held to the end, so that nobody opens what is about to go.
  const live = openExisting(file);
  const unfinished = `${file}.rebuild`;
  const db = createUnfinished(unfinished);
  try {
    const projector = new Projector(db, limits);
    let events = 0;
    const write = (): void => {
      projector.write();
      onProgress?.({ events, position: projector.checkpoint.position });
    };
    for await (const event of store.readAll(START)) {
      signal?.throwIfAborted();
      projector.fold(event);
      events += 1;
      if (projector.full) write();
    }
    signal?.throwIfAborted();
    write();
    layIndexes(db);
    db.close();
    flush(unfinished);
    if (!('useless' in live)) live.close();
    removeJournals(file);
    renameSync(unfinished, file);
    flush(dirname(file));
    return { events, position: projector.checkpoint.position };
  } finally {
    db.close();
    if (!('useless' in live)) live.close();
    removeFile(unfinished);
  }
}

/** Nothing was flushed while the file grew; a name must not come to stand for bytes that are not on the disk. */
function flush(path: string): void {
  const descriptor = openSync(path, 'r');
  fsyncSync(descriptor);
  closeSync(descriptor);
}
