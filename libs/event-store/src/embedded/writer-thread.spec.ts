import { randomUUID } from 'node:crypto';
import { silentLogger } from '@vw/runtime';
import { describe, expect, it } from 'vitest';
import { StoreUnavailable } from '../errors.js';
import type { NewEvent, Position } from '../port.js';
import { Tail } from './tail.js';
import { WriterThread } from './writer-thread.js';

/** A thread that opens as the real one does and then behaves as told. */
function thread(behaviour: string): URL {
  const source = `
    import { parentPort } from 'node:worker_threads';
    parentPort.postMessage({ kind: 'opened', head: 7 });
    parentPort.on('message', (message) => { ${behaviour} });
  `;
  return new URL(`data:text/javascript,${encodeURIComponent(source)}`);
}

function start(entry: URL, tail = new Tail()): Promise<WriterThread> {
  return WriterThread.start({ file: 'log.db', logger: silentLogger, tail, entry });
}

function event(): NewEvent {
  return { id: randomUUID(), type: 'T', contentType: 'json', data: Buffer.from('data'), metadata: Buffer.alloc(0) };
}

describe('a writer thread that dies', () => {
  it('takes every waiting append with it, refuses the next, and tells those who wait for events', async () => {
    const tail = new Tail();
    const writer = await start(thread(`throw new Error('out of order')`), tail);
    const following = tail.beyond(7 as Position, new AbortController().signal);
    const outcomes = await Promise.allSettled([
      writer.append('w-1', 'no-stream', 0, [event()]),
      writer.append('w-2', 'no-stream', 0, [event()]),
      following,
    ]);
    for (const outcome of outcomes) {
      const reason: unknown = outcome.status === 'rejected' ? outcome.reason : undefined;
      expect(reason).toBeInstanceOf(StoreUnavailable);
      expect(reason).toMatchObject({ message: 'the writer of log.db has stopped', cause: { message: 'out of order' } });
    }
    await expect(writer.append('w-1', 'no-stream', 0, [event()])).rejects.toBeInstanceOf(StoreUnavailable);
    await writer.close();
  });

  it('while it closes leaves no append without an answer', async () => {
    const writer = await start(thread(`if (message.kind === 'close') process.exit(3)`));
    const waiting = writer.append('w-1', 'no-stream', 0, [event()]);
    const [outcome] = await Promise.allSettled([waiting, writer.close()]);
    expect(outcome.status).toBe('rejected');
  });

  it('before it has opened the file is an unavailable store', async () => {
    const entry = new URL('data:text/javascript,process.exit(1)');
    await expect(start(entry)).rejects.toThrow('the writer of log.db did not start');
  });
});

describe('appends of one turn of the event loop', () => {
  it('go at once to a thread that has nothing to do, the others together, and are answered each with its own answer', async () => {
    const writer = await start(
      thread(`
        if (message.kind === 'close') process.exit(0);
        const answers = Float64Array.from({ length: 2 * message.count }, (_, index) => message.count * 10 + index);
        answers[2] = -1;
        parentPort.postMessage({ kind: 'settled', answers, head: 30 });
      `),
    );
    const outcomes = await Promise.allSettled(['a', 'b', 'c'].map((stream) => writer.append(stream, 4, 0, [event()])));
    expect(outcomes).toMatchObject([
      { value: { position: 10, revision: 11 } },
      { value: { position: 20, revision: 21 } },
      { reason: { name: 'WrongExpectedRevision', stream: 'c', expected: 4, actual: 23 } },
    ]);
    await writer.close();
  });

  it('do not wait for its end where there are sixteen of them', async () => {
    const writer = await start(
      thread(`
        if (message.kind === 'close') process.exit(0);
        const answers = new Float64Array(2 * message.count).fill(message.count);
        parentPort.postMessage({ kind: 'settled', answers, head: 30 });
      `),
    );
    const appends = Array.from({ length: 19 }, (_, n) => writer.append(`w-${n}`, 4, 0, [event()]));
    const togetherWith = (await Promise.all(appends)).map(({ position }) => position);
    expect(togetherWith).toEqual([1, ...Array.from({ length: 16 }, () => 16), 2, 2]);
    await writer.close();
  });

  it('are refused once too much waits, until the disk has caught up', async () => {
    const writer = await start(
      thread(`
        if (message.kind === 'close') process.exit(0);
        parentPort.postMessage({ kind: 'failed', count: message.count, failure: { code: 'SQLITE_FULL', message: 'no space' } });
      `),
    );
    const megabyte = { ...event(), data: Buffer.alloc(1024 * 1024) };
    const taken = Array.from({ length: 256 }, () => writer.append('w-1', 'no-stream', 0, [megabyte]));
    const refused = await writer.append('w-1', 'no-stream', 0, [event()]).catch((error: unknown) => error);
    expect(refused).toMatchObject({ name: 'StoreUnavailable', message: expect.stringContaining('already wait') });
    for (const outcome of await Promise.allSettled(taken)) {
      expect(outcome).toMatchObject({ reason: { name: 'StoreUnavailable', cause: { code: 'SQLITE_FULL' } } });
    }
    await expect(writer.append('w-1', 'no-stream', 0, [event()])).rejects.toThrow('no space');
    await writer.close();
  });

  it('are refused also where what waits is very many events without bytes', async () => {
    const writer = await start(thread(`if (message.kind === 'close') process.exit(0);`));
    const empty = { ...event(), type: 'T'.repeat(1024), data: new Uint8Array(), metadata: new Uint8Array() };
    const many = Array.from({ length: 10_000 }, () => empty);
    const outcomes = Array.from({ length: 15 }, () => writer.append('w-1', 'no-stream', 0, many));
    await expect(outcomes.at(-1)).rejects.toThrow('already wait');
    await Promise.all([Promise.allSettled(outcomes), writer.close()]);
  });
});
