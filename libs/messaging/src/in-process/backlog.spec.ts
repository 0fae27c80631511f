import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { silentLogger } from '@vw/runtime';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { Backlog } from './backlog.js';

describe('the backlog', () => {
  let folder: string;
  let file: string;
  let now = 1_800_000_000_000;
  const clock = { now: () => now, monotonic: () => now };
  const opened: Backlog[] = [];
  const logger = { ...silentLogger, warn: vi.fn(), error: vi.fn() };

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'vw-backlog-'));
    file = join(folder, 'bus.sqlite');
    vi.clearAllMocks();
  });
  afterEach(() => {
    for (const backlog of opened.splice(0)) backlog.close();
    rmSync(folder, { recursive: true });
  });

  function open(mostPerSubject?: number): Backlog {
    const backlog = new Backlog(file, clock, logger, mostPerSubject);
    opened.push(backlog);
    return backlog;
  }

  const kind = 'vw.task.*';
  const task = (subject: string, n: number, messageId?: string) => ({
    kind,
    subject,
    payload: `{"n":${n}}`,
    messageId,
  });

  function payloads(backlog: Backlog, subject?: string): string[] {
    const found: string[] = [];
    let at = 0;
    for (let next = backlog.takeAfter({ kind, subject }, at); next; next = backlog.takeAfter({ kind, subject }, at)) {
      found.push(next.payload);
      at = next.id;
    }
    return found;
  }

  it('remembers a message id for two minutes, and not for longer when the clock steps back', () => {
    const backlog = open();
    expect(backlog.store(task('vw.task.h1', 0, 'm'))).toBe(true);
    now += 119_999;
    expect(backlog.store(task('vw.task.h1', 1, 'm'))).toBe(false);
    now += 1;
    expect(backlog.store(task('vw.task.h1', 2, 'm'))).toBe(true);
    now -= 3_600_000;
    expect(backlog.store(task('vw.task.h1', 3, 'm'))).toBe(true);
  });

  it('drops the oldest of an overflowing subject only, and says so once', () => {
    const backlog = open(3);
    backlog.store(task('vw.task.quiet', 100));
    for (let n = 0; n < 10; n++) backlog.store(task('vw.task.h1', n));
    expect(payloads(backlog, 'vw.task.h1')).toEqual(['{"n":7}', '{"n":8}', '{"n":9}']);
    expect(payloads(backlog, 'vw.task.quiet')).toHaveLength(1);
    expect(logger.warn).toHaveBeenCalledTimes(1);
    backlog.close();
    const again = open(3);
    again.store(task('vw.task.h1', 10));
    expect(payloads(again, 'vw.task.h1')).toEqual(['{"n":8}', '{"n":9}', '{"n":10}']);
  });

  it('never uses an id twice, so that no reader overlooks a message', () => {
    const backlog = open();
    backlog.store(task('vw.task.h1', 0));
    const first = backlog.takeAfter({ kind }, 0)!;
    backlog.remove(first.id);
    backlog.remove(first.id);
    backlog.store(task('vw.task.h1', 1));
    expect(backlog.takeAfter({ kind }, first.id)?.payload).toBe('{"n":1}');
    expect(backlog.take(first.id)).toBeUndefined();
  });

  it('sets a damaged file aside and starts with an empty one', () => {
    writeFileSync(file, 'this was never a database, and it is long enough to be looked at'.repeat(100));
    const backlog = open();
    expect(backlog.store(task('vw.task.h1', 0))).toBe(true);
    expect(existsSync(`${file}.damaged`)).toBe(true);
    expect(logger.error).toHaveBeenCalledTimes(1);
  });

  it('belongs to one opener at a time', () => {
    open();
    expect(() => open()).toThrow(expect.objectContaining({ code: 'SQLITE_BUSY' }));
  });
});
