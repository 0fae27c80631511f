/** The door of the embedded store: opens the file, or says in which way it cannot. */
import { mkdir, realpath } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import type { Clock, Logger } from '@vw/runtime';
import { silentLogger } from '@vw/runtime';
import { StoreUnavailable } from '../errors.js';
import type { EventLog } from '../log.js';
import { Descriptions } from './descriptions.js';
import { LogReader } from './reader.js';
import { EmbeddedStore } from './store.js';
import { Tail } from './tail.js';
import { WriterThread } from './writer-thread.js';

export * from './upkeep/index.js';

export interface EmbeddedStoreOptions {
  /** The SQLite file; made, with its folder, when it is not there. Beside it lie `-wal`, `-shm` and `.lock`: one local disk. */
  readonly file: string;
  readonly clock: Clock;
  readonly logger?: Logger;
}

/**
 * Opens the store and owns its file until `close()` or the end of the process.
 * @throws StoreInUse at once, when this or another process has it open
 * @throws UnknownStoreFormat when the file is not a store, or one of a newer format; it is left as it was
 * @throws StoreUnavailable when the file cannot be made, read or written
 */
export async function openEmbeddedStore({
  file,
  clock,
  logger = silentLogger,
}: EmbeddedStoreOptions): Promise<EventLog> {
  const path = await settledPath(file);
  const tail = new Tail();
  const descriptions = new Descriptions((stream) => reader.state(stream));
  const writer = await WriterThread.start({
    file: path,
    logger,
    tail,
    onDone: (...change) => descriptions.changed(...change),
  });
  let reader: LogReader;
  try {
    reader = new LogReader(path);
    logger.info({ file: path, end: reader.end() }, 'event store open');
    return new EmbeddedStore({ file: path, clock, writer, reader, descriptions, tail });
  } catch (cause) {
    await writer.close();
    throw new StoreUnavailable(`${path} cannot be read`, { cause });
  }
}

/** One file has one path: the lock lies beside it, so two names of one file must lead to one lock. */
async function settledPath(file: string): Promise<string> {
  try {
    await mkdir(dirname(file), { recursive: true });
    return await realpath(file).catch(async () => join(await realpath(dirname(file)), basename(file)));
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new StoreUnavailable(`the folder of ${file} cannot be used: ${reason}`, { cause });
  }
}
