import type { EventMetadata, HostEvent, HostId, WorkspaceEvent } from '@vw/domain';
import type { Position, RecordedEvent } from '@vw/event-store';
import { describe, expect, test } from 'vitest';
import { decodeEvent, encodeEvent, LogDecoder } from './decode.js';
import { UndecodableEvent } from './errors.js';

const metadata: EventMetadata = {
  schemaVersion: 1,
  principal: { subject: 'CN=Žofie ☕', attributes: { vo: ['/example'] }, method: 'asserted-on-loopback' },
  recordedAt: 1000,
  correlationId: 'c',
  causationId: 'c',
};
const retired: WorkspaceEvent = { type: 'WorkspaceRetired', data: { reason: 'no “use” any more ☕' } };
const lost: HostEvent = { type: 'HostLost', data: { hostId: 'h-1' as HostId, bootId: 'b', lastHeard: 900 } };

const recorded = (stream: string, event: Pick<RecordedEvent, 'type' | 'data' | 'metadata'>): RecordedEvent => ({
  ...event,
  contentType: 'json',
  id: 'e1',
  stream,
  revision: 3,
  position: 12 as Position,
  created: 1000,
});

describe('decodeEvent', () => {
  test('gives back what encodeEvent was given, with its place in the log', () => {
    expect(decodeEvent(recorded('workspace-w-1', encodeEvent(retired, metadata)))).toEqual({
      category: 'workspace',
      id: 'w-1',
      stream: 'workspace-w-1',
      eventId: 'e1',
      event: retired,
      metadata,
      revision: 3,
      position: 12,
    });
    expect(decodeEvent(recorded('host-h-1', encodeEvent(lost, metadata)))).toMatchObject({
      category: 'host',
      id: 'h-1',
      event: lost,
    });
  });

  test('reads bytes that lie within a larger buffer, as a store may hand them out', () => {
    const { type, data, metadata: about } = encodeEvent(retired, metadata);
    const within = (bytes: Uint8Array) => new Uint8Array([0, ...bytes, 0]).subarray(1, bytes.length + 1);
    const event = decodeEvent(recorded('workspace-w-1', { type, data: within(data), metadata: within(about) }));
    expect(event).toMatchObject({ event: retired, metadata });
  });

  test('leaves the streams of others alone, whatever is in them', () => {
    const alien = { type: 'X', data: Buffer.from('{'), metadata: Buffer.alloc(0) };
    for (const stream of ['account-1', 'workspaces', 'Workspace-1']) {
      expect(decodeEvent(recorded(stream, alien))).toEqual({ category: 'foreign', stream, revision: 3, position: 12 });
    }
  });

  test.each([
    ['a type of another category', encodeEvent(lost, metadata)],
    ['a newer shape', encodeEvent(retired, { ...metadata, schemaVersion: 2 })],
    ['no version', encodeEvent(retired, { ...metadata, schemaVersion: undefined as never })],
    ['no JSON', { ...encodeEvent(retired, metadata), metadata: Buffer.from('') }],
  ])('refuses %s in a stream of ours, and says which event it is', (_, event) => {
    const decode = () => decodeEvent(recorded('workspace-w-1', event));
    expect(decode).toThrow(UndecodableEvent);
    expect(decode).toThrow(/event 3 of stream workspace-w-1 .*position 12/);
  });
});

describe('LogDecoder', () => {
  test('gives for each event of a log what the event gives by itself, and parses the metadata of one append once', () => {
    const other = { ...metadata, recordedAt: 2000 };
    const log = [metadata, metadata, other, metadata].map((about) =>
      recorded('workspace-w-1', encodeEvent(retired, about)),
    );
    const decoder = new LogDecoder();
    const decoded = log.map((event) => decoder.decode(event));
    expect(decoded).toEqual(log.map(decodeEvent));
    const [first, second, third] = decoded.map((event) => ('metadata' in event ? event.metadata : undefined));
    expect(second).toBe(first);
    expect(third).toEqual(other);
  });

  test('refuses again what it refused before', () => {
    const decoder = new LogDecoder();
    const newer = recorded('workspace-w-1', encodeEvent(retired, { ...metadata, schemaVersion: 2 }));
    for (const event of [newer, newer]) expect(() => decoder.decode(event)).toThrow(UndecodableEvent);
  });
});
