import { randomUUID } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import type { NewEvent } from '../port.js';
import { uuidOf } from '../protocol/index.js';
import { batchRequests } from './requests.js';

const event = (type: string, dataBytes: number): NewEvent => ({
  id: randomUUID(),
  type,
  contentType: 'binary',
  data: Buffer.alloc(dataBytes),
  metadata: Buffer.alloc(0),
});

/** What gRPC servers take in one message unless they are told otherwise. */
const MOST_BYTES = 4 * 1024 * 1024;

describe('an append as parts of a batch', () => {
  it.each([
    ['one event', [event('T', 10)]],
    ['one as large as may be', [event('T', 1024 * 1024)]],
    ['many that are nothing but type', Array.from({ length: 6000 }, () => event('北'.repeat(1024), 0))],
    ['many that are next to nothing', Array.from({ length: 40_000 }, () => event('T', 0))],
  ])('carries %s in messages that every server takes', (_, events) => {
    const id = randomUUID();
    const parts = batchRequests(id, 'w-1', 3, events);
    expect(parts.map((part) => part.hasOptions())).toEqual(parts.map((_part, index) => index === 0));
    expect(parts.map((part) => part.getIsFinal())).toEqual(parts.map((_part, index) => index === parts.length - 1));
    expect(parts.map((part) => uuidOf(part.getCorrelationId()))).toEqual(parts.map(() => id));
    expect(Math.max(...parts.map((part) => part.serializeBinary().length))).toBeLessThan(MOST_BYTES);
    const carried = parts.flatMap((part) => part.getProposedMessagesList().map((message) => uuidOf(message.getId())));
    expect(carried).toEqual(events.map((made) => made.id));
  });
});
