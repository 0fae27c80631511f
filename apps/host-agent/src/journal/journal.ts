/**
 * The agent's own memory of what it has taken on and what it has said (PROTOCOL.md, "From intent to outcome", 3). One agent at a time per file.
 * Opening it reads every record, then rewrites the file with what is still needed; from then on it only grows.
 */
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Logger } from '@vw/runtime';
import { JournalFile, readJournal } from './file.js';
import { Memory } from './memory.js';
import type { JournalRecord } from './records.js';

export class Journal {
  private constructor(
    private readonly file: JournalFile,
    /** What the durable records amount to. */
    readonly known: Pick<Memory, Exclude<keyof Memory, 'apply' | 'essence'>>,
    private readonly memory: Memory,
  ) {}

  /** `journal.jsonl` in the directory, which is made where it is missing. @throws JournalCorrupted */
  static async open(directory: string, logger: Logger): Promise<Journal> {
    await mkdir(directory, { recursive: true });
    const path = join(directory, 'journal.jsonl');
    const memory = new Memory();
    for (const record of await readJournal(path, logger)) memory.apply(record);
    const file = await JournalFile.rewrite(path, [...memory.essence()]);
    return new Journal(file, memory, memory);
  }

  /** Resolves when the records are durable, and known. @throws JournalUnavailable: then they are neither */
  async append(...records: readonly JournalRecord[]): Promise<void> {
    await this.file.append(records);
    for (const record of records) this.memory.apply(record);
  }

  close(): Promise<void> {
    return this.file.close();
  }
}
