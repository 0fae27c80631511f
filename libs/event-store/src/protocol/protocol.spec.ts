import { describe, expect, it } from 'vitest';
import { TOMBSTONE_REVISION } from '../log.js';
import type { Position, RecordedEvent } from '../port.js';
import {
  END,
  numberOf,
  recordedEvent,
  recordedMessage,
  shared,
  streamIdentifier,
  streamNameOf,
  streams,
} from './index.js';
import { textOf, uuidMessage, uuidOf, uuidOfText } from './index.js';

const id = '0190a5b8-ffee-7ddc-8bba-fedcba987654';

describe('UUIDs', () => {
  it.each(['structured', 'string'] as const)('come back as they were sent, in the %s form', (form) => {
    for (const uuid of [
      id,
      'ffffffff-ffff-ffff-ffff-ffffffffffff',
      '80000000-0000-0000-7fff-ffffffffffff',
      id.replace(/^0/, '8'),
    ]) {
      const bytes = uuidMessage(uuid, form).serializeBinary();
      expect(uuidOf(shared.UUID.deserializeBinary(bytes))).toBe(uuid);
    }
  });

  it.each([id.toUpperCase(), id.replaceAll('-', ''), `{${id}}`, `(${id})`, ` ${id} `, `{${id.toUpperCase()}}`])(
    'are read from %s',
    (text) => {
      expect(uuidOfText(text)).toBe(id);
    },
  );

  it.each(['', '-', 'x', id.slice(1), `${id}0`, `{${id}`, `{${id.replaceAll('-', '')}}`, id.replace('f', 'g')])(
    'are not read from "%s"',
    (text) => {
      expect(() => uuidOfText(text)).toThrow(RangeError);
    },
  );

  it('are missed when absent', () => {
    expect(() => uuidOf(undefined)).toThrow(RangeError);
    expect(() => uuidOf(new shared.UUID())).toThrow(RangeError);
  });
});

describe('stream names', () => {
  it.each(['a', '$$$settings', 'naïve-Straße-仓库-🧪', '\uFEFFbom', 'with\u0000zero'])(
    'survive the wire: %s',
    (name) => {
      expect(streamNameOf(shared.StreamIdentifier.deserializeBinary(streamIdentifier(name).serializeBinary()))).toBe(
        name,
      );
    },
  );

  it('are refused when they are no UTF-8, so that two names never become one', () => {
    const identifier = new shared.StreamIdentifier();
    identifier.setStreamName(Uint8Array.of(0x61, 0xff));
    expect(() => streamNameOf(identifier)).toThrow('not UTF-8');
    expect(() => streamNameOf(undefined)).toThrow(RangeError);
  });
});

describe('64-bit integers', () => {
  it.each([
    ['0', 0],
    ['999999999999999', 999_999_999_999_999],
    ['9007199254740990', Number.MAX_SAFE_INTEGER - 1],
    ['9223372036854775807', TOMBSTONE_REVISION],
    ['18446744073709551615', END],
  ])('%s is read and written', (text, value) => {
    expect(numberOf(text)).toBe(value);
    expect(textOf(value)).toBe(text);
  });

  it('are never rounded to a place that might exist', () => {
    expect(numberOf('9007199254740993')).toBe(TOMBSTONE_REVISION);
    expect(() => numberOf('9223372036854775808')).toThrow(RangeError);
    expect(() => numberOf('18446744073709551614')).toThrow(RangeError);
  });
});

describe('recorded events', () => {
  it.each(['json', 'binary'] as const)('survive the wire with every byte: %s', (contentType) => {
    const event: RecordedEvent = {
      id,
      stream: 'workspace-w1',
      type: 'Vorgang-Ü',
      contentType,
      data: Uint8Array.from({ length: 256 }, (_, byte) => byte),
      metadata: Uint8Array.of(0, 255),
      revision: 3,
      position: 17 as Position,
      created: 1_795_384_957_123,
    };
    const message = recordedMessage(event, 'structured');
    expect(message.getMetadataMap().get('created')).toBe('17953849571230000');
    expect(
      recordedEvent(streams.ReadResp.ReadEvent.RecordedEvent.deserializeBinary(message.serializeBinary())),
    ).toEqual(event);
  });
});
