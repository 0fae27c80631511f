import { appendFileSync, mkdtempSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Evidence, Task } from '@vw/contracts';
import { silentLogger } from '@vw/runtime';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { Journal } from './journal.js';

describe('the journal', () => {
  let directory: string;
  let file: string;
  const logger = { ...silentLogger, warn: vi.fn() };
  const opened: Journal[] = [];

  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'vw-journal-'));
    file = join(directory, 'journal.jsonl');
    vi.clearAllMocks();
  });
  afterEach(async () => {
    for (const journal of opened.splice(0)) await journal.close();
    rmSync(directory, { recursive: true });
  });

  async function open(): Promise<Journal> {
    const journal = await Journal.open(directory, logger);
    opened.push(journal);
    return journal;
  }

  const task = (taskId: string, epoch = 1, workspaceId = 'w1'): Task => ({
    taskId,
    workspaceId,
    epoch,
    hostId: 'h1',
    issuedAt: 0,
    deadline: 0,
    work: { kind: 'pause' },
  });
  const evidence = (seq: number, requestId?: string, epoch = 1, workspaceId = 'w1'): Evidence => ({
    hostId: 'h1',
    bootId: 'b1',
    seq,
    workspaceId,
    epoch,
    requestId,
    observedAt: 0,
    observation: { kind: 'paused' },
  });

  it('remembers open tasks, answers, cancellations and epochs', async () => {
    const journal = await open();
    await journal.append({ type: 'task', task: task('t1') }, { type: 'task', task: task('t2', 3) });
    await journal.append(
      { type: 'evidence', evidence: evidence(1, 't1') },
      { type: 'cancelled', workspaceId: 'w1', taskId: 't2' },
    );
    for (const { known } of [journal, await open()]) {
      expect(known.openTasks().map(({ taskId }) => taskId)).toEqual(['t2']);
      expect(known.answerTo('w1', 't1')?.seq).toBe(1);
      expect(known.isCancelled('w1', 't2')).toBe(true);
      expect(known.highestEpoch('w1')).toBe(3);
      expect(known.isStale('w1', 2)).toBe(true);
      expect(known.isStale('w1', 3)).toBe(false);
      expect(known.unsettled()).toHaveLength(1);
    }
  });

  it('cuts off a torn tail, says so, and goes on behind it', async () => {
    const journal = await open();
    await journal.append({ type: 'task', task: task('t1') });
    await journal.append({ type: 'task', task: task('t2') });
    await journal.close();
    opened.pop();
    truncateSync(file, statSync(file).size - 7);
    const again = await open();
    expect(again.known.openTasks().map(({ taskId }) => taskId)).toEqual(['t1']);
    expect(logger.warn).toHaveBeenCalledOnce();
    await again.append({ type: 'task', task: task('t3') });
    expect((await open()).known.openTasks().map(({ taskId }) => taskId)).toEqual(['t1', 't3']);
  });

  it('cuts off zeros that a lost power has left', async () => {
    await (await open()).append({ type: 'task', task: task('t1') });
    appendFileSync(file, Buffer.alloc(4096));
    expect((await open()).known.openTasks()).toHaveLength(1);
  });

  it.each([1, 2, 3])('refuses to go on without line %i, which was acknowledged once', async (line) => {
    const journal = await open();
    for (const taskId of ['t1', 't2', 't3']) await journal.append({ type: 'task', task: task(taskId) });
    const lines = readFileSync(file, 'utf8').split('\n');
    lines[line - 1] = lines[line - 1]!.replace('"pause"', '"paUse"');
    writeFileSync(file, lines.join('\n'));
    await expect(open()).rejects.toMatchObject({ name: 'JournalCorrupted', line });
  });

  it('forgets at opening what needs no memory, and never an epoch', async () => {
    const journal = await open();
    for (let n = 1; n <= 50; n += 1) {
      await journal.append({ type: 'task', task: task(`t${n}`, n) });
      await journal.append({ type: 'evidence', evidence: evidence(n, `t${n}`, n) });
      await journal.append({ type: 'closed', workspaceId: 'w1', epoch: n }, { type: 'settled', bootId: 'b1', seq: n });
    }
    await open();
    expect(readFileSync(file, 'utf8').trimEnd().split('\n')).toHaveLength(1);
    const again = await open();
    expect(again.known.isClosed('w1', 50)).toBe(true);
    expect(again.known.isStale('w1', 51)).toBe(false);
  });

  it('keeps the answer of an open epoch after it was acknowledged', async () => {
    const journal = await open();
    await journal.append({ type: 'task', task: task('t1') }, { type: 'evidence', evidence: evidence(1, 't1') });
    await journal.append({ type: 'settled', bootId: 'b1', seq: 1 });
    const again = await open();
    expect(again.known.answerTo('w1', 't1')?.seq).toBe(1);
    expect(again.known.unsettled()).toEqual([]);
  });

  it('takes many at once, in their order', async () => {
    const journal = await open();
    await Promise.all(Array.from({ length: 200 }, (_, n) => journal.append({ type: 'task', task: task(`t${n}`) })));
    const names = (await open()).known.openTasks().map(({ taskId }) => taskId);
    expect(names).toEqual(Array.from({ length: 200 }, (_, n) => `t${n}`));
  });

  it('takes nothing more when it is closed', async () => {
    const journal = await open();
    await journal.close();
    opened.pop();
    await expect(journal.append({ type: 'task', task: task('t1') })).rejects.toMatchObject({
      name: 'JournalUnavailable',
    });
    expect(journal.known.openTasks()).toEqual([]);
  });
});
