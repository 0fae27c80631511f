/**
 * An append-only file of records, one line each.
 *
 *  1. `append` resolves when the records are on the disk (fdatasync). Appends that come while one is being synchronised share the next fdatasync.
 *  2. A write that fails is cut off again, so that the next one begins at a line. After a failed fdatasync nobody knows what the disk has
 *     (the kernel forgets the dirty pages), so nothing is taken any more until the file is opened, and read, again.
 *  3. Lines are whole or not there: an unterminated last line is a write that was never acknowledged, and is cut off. A terminated line that
 *     does not bear its checksum was acknowledged once: that file is refused, whichever line it is.
 *  4. A rewrite goes beside the file, is synchronised, and is moved into its place: a crash leaves the old file or the new one.
 */
import { constants } from 'node:fs';
import { type FileHandle, open, readFile, rm, truncate } from 'node:fs/promises';
import type { Logger } from '@vw/runtime';
import { writeDurably } from '@vw/runtime';
import { JournalCorrupted, JournalUnavailable } from './errors.js';
import { lineOf, recordIn } from './line.js';
import type { JournalRecord } from './records.js';

interface Append {
  readonly text: string;
  readonly resolve: () => void;
  readonly reject: (reason: Error) => void;
}

const LINE_FEED = 0x0a;

/** @throws JournalCorrupted, Node's own error when the file cannot be read */
export async function readJournal(file: string, logger: Logger): Promise<readonly JournalRecord[]> {
  const bytes = await readFile(file).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return Buffer.alloc(0);
    throw error;
  });
  const whole = bytes.lastIndexOf(LINE_FEED) + 1;
  if (whole < bytes.length) {
    logger.warn(
      { file, atByte: whole, droppedBytes: bytes.length - whole },
      'the journal ends in a torn line, which is cut off',
    );
    await truncate(file, whole);
  }
  const lines = bytes.toString('utf8', 0, whole).split('\n').slice(0, -1);
  return lines.map((line, at) => {
    const record = recordIn(line);
    if (record === undefined) throw new JournalCorrupted(file, at + 1);
    return record;
  });
}

export class JournalFile {
  #waiting: Append[] = [];
  #flushing: Promise<void> | undefined;
  #broken: JournalUnavailable | undefined;

  private constructor(
    private readonly handle: FileHandle,
    private lengthBytes: number,
  ) {}

  /** Begins a file that holds just these records, in place of the one that may be there. */
  static async rewrite(file: string, records: readonly JournalRecord[]): Promise<JournalFile> {
    await rm(`${file}.unfinished`, { force: true });
    await writeDurably(file, records.map(lineOf).join(''));
    const handle = await open(file, constants.O_RDWR);
    const { size } = await handle.stat();
    return new JournalFile(handle, size);
  }

  /** @throws JournalUnavailable: none of these records is in the journal */
  append(records: readonly JournalRecord[]): Promise<void> {
    const text = records.map(lineOf).join('');
    return new Promise((resolve, reject) => {
      this.#waiting.push({ text, resolve, reject });
      this.#flushing ??= this.#flush();
    });
  }

  async close(): Promise<void> {
    await this.#flushing;
    this.#broken ??= new JournalUnavailable('the journal is closed');
    await this.handle.close();
  }

  async #flush(): Promise<void> {
    while (this.#waiting.length > 0) {
      const batch = this.#waiting;
      this.#waiting = [];
      try {
        await this.#write(Buffer.from(batch.map(({ text }) => text).join('')));
        for (const { resolve } of batch) resolve();
      } catch (error) {
        for (const { reject } of batch) reject(error as Error);
      }
    }
    this.#flushing = undefined;
  }

  async #write(bytes: Buffer): Promise<void> {
    if (this.#broken) throw this.#broken;
    try {
      await this.#writeAll(bytes);
    } catch (cause) {
      await this.handle.truncate(this.lengthBytes).catch((error: unknown) => this.#breakOff(error));
      throw new JournalUnavailable('the journal could not be written', { cause });
    }
    await this.handle.datasync().catch((error: unknown) => this.#breakOff(error));
    if (this.#broken) throw this.#broken;
    this.lengthBytes += bytes.length;
  }

  async #writeAll(bytes: Buffer): Promise<void> {
    let done = 0;
    while (done < bytes.length) {
      const { bytesWritten } = await this.handle.write(bytes, done, bytes.length - done, this.lengthBytes + done);
      done += bytesWritten;
    }
  }

  #breakOff(cause: unknown): void {
    this.#broken = new JournalUnavailable(
      'what the disk holds of the journal is uncertain until the agent is started again',
      { cause },
    );
  }
}
