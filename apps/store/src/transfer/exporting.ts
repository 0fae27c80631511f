/**
 * An export on its way into a file or a pipe. Lines leave in large writes, whole lines only except where a kill tears the last one;
 * an interrupted export is read again, held to its own digest, cut after its last whole line, and continued from that event.
 */
import { createHash, type Hash } from 'node:crypto';
import { type FileHandle, open } from 'node:fs/promises';
import { dirname } from 'node:path';
import { type Position, type RecordedEvent, START } from '@vw/event-store';
import { synchroniseFolder } from '@vw/runtime';
import { Failure } from '../failures.js';
import type { Sink } from '../io.js';
import type { Progress } from '../progress.js';
import { isSame } from './carried.js';
import { Departures, type StayedBehind } from './departures.js';
import type { Format } from './format.js';
import { ExportReader } from './reading.js';
import type { Source } from './source.js';

const WRITE_BYTES = 256 * 1024;

export type Target =
  | { readonly kind: 'pipe'; readonly sink: Sink }
  | { readonly kind: 'file'; readonly file: string; readonly existing: 'refuse' | 'overwrite' | 'resume' };

export interface Exported {
  readonly format: Format['name'];
  /** Written by this run. */
  readonly events: number;
  /** In the file from a run before. */
  readonly resumed: number;
  /** Of the last event in the file. */
  readonly position: Position;
  readonly stayedBehind: StayedBehind;
}

export interface ExportOptions {
  readonly source: Source;
  readonly format: Format;
  readonly after: Position;
  readonly target: Target;
  readonly progress: Progress;
}

/** @throws Failure, BadLine, failures of the source, system errors of the file; what was written until then stays */
export async function exportEvents(options: ExportOptions): Promise<Exported> {
  const { source, format, after, target, progress } = options;
  if (target.kind === 'pipe') {
    const lines = new Lines((bytes) => target.sink.write(bytes));
    return await writeAll(lines, emptyFile());
  }
  const { handle, found } = await openFile(target, options);
  try {
    const exported = await writeAll(new Lines((bytes) => handle.writeFile(bytes), found.hash), found);
    if ((await handle.stat()).isFile()) {
      await handle.sync();
      await synchroniseFolder(dirname(target.file));
    }
    return exported;
  } finally {
    await handle.close();
  }

  async function writeAll(lines: Lines, found: Found): Promise<Exported> {
    const head = await source.head();
    const departures = new Departures(after === START, found.nextRevisions);
    if (found.events === 0 && found.bytes === 0 && format.head !== undefined) await lines.add(format.head);
    let events = 0;
    let position = found.last?.position ?? after;
    for await (const event of source.readAll(found.last?.position ?? after, { system: true })) {
      if (!departures.leaves(event)) continue;
      await lines.add(format.encode(event));
      events += 1;
      position = event.position;
      await progress.show(events, head > after ? (event.position - after) / (head - after) : undefined);
    }
    await lines.flush();
    const end = format.end(found.events + events, lines.digest());
    if (end !== undefined) await lines.add(end);
    await lines.flush();
    await progress.clear();
    return { format: format.name, events, resumed: found.events, position, stayedBehind: departures.stayedBehind };
  }
}

/** What a file holds already. */
interface Found {
  readonly events: number;
  /** Up to the end of the last whole line. */
  readonly bytes: number;
  readonly hash: Hash;
  readonly nextRevisions: ReadonlyMap<string, number>;
  readonly last: RecordedEvent | undefined;
}

function emptyFile(): Found {
  return {
    events: 0,
    bytes: 0,
    hash: createHash('sha256'),
    nextRevisions: new Map(),
    last: undefined,
  };
}

async function openFile(
  { file, existing }: Target & { readonly kind: 'file' },
  options: ExportOptions,
): Promise<{ readonly handle: FileHandle; readonly found: Found }> {
  switch (existing) {
    case 'overwrite':
      await refuseDatabase(file);
      return { handle: await open(file, 'w', 0o600), found: emptyFile() };
    case 'refuse':
      return { handle: await openNew(file), found: emptyFile() };
    case 'resume': {
      const found = await cutAfterLastLine(file, options);
      return { handle: await open(file, 'a', 0o600), found };
    }
  }
}

/** Every database of SQLite begins so (sqlite.org/fileformat2.html, 1.3.1). */
const DATABASE = Buffer.from('SQLite format 3\0');

/** Whoever names the log itself as the place of its export has mistyped. @throws Failure */
async function refuseDatabase(file: string): Promise<void> {
  const handle = await open(file, 'r').catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'ENOENT') throw error;
  });
  if (!handle) return;
  try {
    const { buffer } = await handle.read(Buffer.alloc(DATABASE.length), 0, DATABASE.length, 0);
    if (buffer.equals(DATABASE))
      throw new Failure('refused', `${file} is a database and no export: it is not replaced`);
  } finally {
    await handle.close();
  }
}

async function openNew(file: string): Promise<FileHandle> {
  try {
    return await open(file, 'wx', 0o600);
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code !== 'EEXIST') throw cause;
    throw new Failure('refused', `${file} is there already: --resume continues it, --overwrite replaces it`, { cause });
  }
}

/**
 * Reads what is there, and takes away what is no whole line, or the end of the export.
 * @throws BadLine when it is no export; Failure when it is none of this store. It is left as it was then
 */
async function cutAfterLastLine(file: string, { source, format, after, progress }: ExportOptions): Promise<Found> {
  const handle = await open(file, 'r+').catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'ENOENT') throw error;
  });
  if (!handle) return emptyFile();
  try {
    const { size } = await handle.stat();
    const reader = new ExportReader(format);
    let last: RecordedEvent | undefined;
    let beforeLast = after;
    const chunks = handle.createReadStream({ start: 0, autoClose: false, highWaterMark: WRITE_BYTES });
    for await (const { event, end } of reader.read(chunks, 'leave')) {
      beforeLast = last?.position ?? after;
      last = event;
      await progress.show(reader.events, end / size);
    }
    if (last && !(await hasNext(source, beforeLast, last))) {
      const what = `event ${last.revision} of stream ${last.stream} is not at position ${last.position} of it`;
      throw new Failure('refused', `${file} was not exported from this store: ${what}`);
    }
    const { events, wholeBytes: bytes, nextRevisions } = reader;
    await handle.truncate(bytes);
    return { events, bytes, hash: reader.hash(), nextRevisions, last };
  } finally {
    await handle.close();
  }
}

/** Whether the source has this very event at its position, and nothing before it that the file would lack. */
async function hasNext(source: Source, after: Position, event: RecordedEvent): Promise<boolean> {
  for await (const found of source.readAll(after, { system: true })) {
    if (found.position >= event.position) return found.position === event.position && isSame(found, event);
  }
  return false;
}

/** Lines on their way, joined into large writes, and digested. */
class Lines {
  readonly #write: (bytes: Uint8Array) => Promise<void>;
  readonly #hash: Hash;
  #waiting: string[] = [];
  #waitingLength = 0;

  constructor(write: (bytes: Uint8Array) => Promise<void>, hash: Hash = createHash('sha256')) {
    this.#write = write;
    this.#hash = hash;
  }

  async add(line: string): Promise<void> {
    this.#waiting.push(line, '\n');
    this.#waitingLength += line.length + 1;
    if (this.#waitingLength >= WRITE_BYTES) await this.flush();
  }

  async flush(): Promise<void> {
    if (this.#waiting.length === 0) return;
    const bytes = Buffer.from(this.#waiting.join(''), 'utf8');
    this.#waiting = [];
    this.#waitingLength = 0;
    this.#hash.update(bytes);
    await this.#write(bytes);
  }

  /** Of all that was flushed, in lower-case hexadecimal. */
  digest(): string {
    return this.#hash.copy().digest('hex');
  }
}
