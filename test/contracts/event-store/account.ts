/** Holds a log against what the program of durable writers said about it before it, or the store, was killed. */
import type { EventStore, ExpectedRevision, RecordedEvent } from '@vw/event-store';
import { expect } from 'vitest';
import type { Program } from '../../support/program.js';
import { collect } from './events.js';

interface Attempt {
  readonly stream: string;
  readonly expected: ExpectedRevision;
  readonly ids: readonly string[];
}

/** Every acknowledged event is there, once, where the writer was told; each attempt without an answer can be made again. */
export async function expectAccount(
  store: EventStore,
  log: readonly RecordedEvent[],
  accounts: readonly (readonly string[])[],
): Promise<void> {
  const stored = new Map<string, RecordedEvent[]>();
  for (const event of log) {
    const before = stored.get(event.stream) ?? [];
    expect(event.revision).toBe(before.length);
    stored.set(event.stream, [...before, event]);
  }
  expect(new Set(log.map(({ id }) => id)).size).toBe(log.length);

  const unanswered = new Map<string, Attempt>();
  for (const line of accounts.flat()) {
    const [word = '', stream = '', third = '', ...rest] = line.split(' ');
    if (word === 'try') {
      unanswered.set(stream, { stream, expected: third === 'no-stream' ? third : Number(third), ids: rest });
    } else if (word === 'ok') {
      const { ids } = unanswered.get(stream) as Attempt;
      const revision = Number(third);
      const there = stored.get(stream)?.slice(revision + 1 - ids.length, revision + 1) ?? [];
      expect(there.map(({ id }) => id)).toEqual(ids);
      expect(there.at(-1)?.position).toBe(Number(rest[0]));
      unanswered.delete(stream);
    }
  }
  expect(unanswered.size).toBeGreaterThan(0);
  for (const { stream, expected, ids } of unanswered.values()) {
    const again = ids.map((id) => ({
      id,
      type: 'T',
      contentType: 'json' as const,
      data: Buffer.alloc(400, id),
      metadata: Buffer.from('{}'),
    }));
    const { revision } = await store.append(stream, expected, again);
    const whole = await collect(store.readStream(stream));
    expect(whole).toHaveLength(revision + 1);
    expect(whole.slice(-ids.length).map(({ id }) => id)).toEqual(ids);
  }
}

export async function until(program: Program, reached: (lines: readonly string[]) => boolean): Promise<void> {
  while (!reached(program.lines)) await program.printed(program.lines.length + 1);
}
