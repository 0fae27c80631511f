import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { streamIdentifier, streams, streamsServices, uuidMessage } from '../protocol/index.js';
import { strict } from './strict-reader.js';

const { append } = streamsServices.StreamsService;
const read = strict(append).requestDeserialize;

function proposal(): streams.AppendReq {
  const message = new streams.AppendReq.ProposedMessage();
  message.setId(uuidMessage('0190a5b8-ffee-7ddc-8bba-fedcba987654', 'structured'));
  message.getMetadataMap().set('type', 'Straße-🧪').set('content-type', 'application/json').set('', '');
  message.setData(Uint8Array.of(0, 255, 128));
  const request = new streams.AppendReq();
  request.setProposedMessage(message);
  return request;
}

function optioned(): streams.AppendReq {
  const options = new streams.AppendReq.Options();
  options.setStreamIdentifier(streamIdentifier('a-1'));
  options.setRevision('18446744073709551615');
  const request = new streams.AppendReq();
  request.setOptions(options);
  return request;
}

const field = (number: number, bytes: readonly number[]) => [number * 8 + 2, bytes.length, ...bytes];
const text = (value: string) => [...Buffer.from(value)];

describe('reading strictly', () => {
  it('reads what the generated classes write, as they read it', () => {
    for (const request of [proposal(), optioned(), new streams.AppendReq()]) {
      const bytes = append.requestSerialize(request);
      expect(read(bytes).toObject()).toEqual(append.requestDeserialize(bytes).toObject());
    }
  });

  it('skips fields that are not known', () => {
    const known = [...append.requestSerialize(optioned())];
    const bytes = Buffer.from([
      ...known,
      15 * 8,
      1,
      15 * 8 + 1,
      ...Array<number>(8).fill(9),
      ...field(14, [1, 2]),
      13 * 8 + 5,
      1,
      2,
      3,
      4,
    ]);
    expect(read(bytes).getOptions()?.getRevision()).toBe('18446744073709551615');
  });

  it.each([
    ['a length beyond the bytes', [0x0a, 0xff, 0xff, 0xff, 0xff, 0x0f, 0x01]],
    ['a length beyond the bytes, nested', field(1, [0x0a, 0x7f])],
    ['a length beyond the bytes of an entry', field(2, field(2, [0x0a, 0xff, 0xff, 0xff, 0x7f]))],
    ['a length beyond the message, but not the bytes', [0x0a, 2, 0x0a, 4, 0x1a, 2, 0x61, 0x62]],
    ['a length without an end', [0x0a, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01]],
    ['a number without an end', field(1, [0x10, 0xff])],
    ['a field without a number', [0x02, 0x00]],
    ['a group', [0x0b, 0x0c]],
    ['the end of a group', [0x0c]],
    ['an unknown wire type', [0x0e, 0x00]],
    ['another wire type than the field has', [0x08, 0x01]],
    ['a skipped field beyond the bytes', [14 * 8 + 2, 0x7f, 0x01]],
    ['a type that is no UTF-8', field(2, field(2, [...field(1, text('type')), ...field(2, [0xed, 0xa0, 0x80])]))],
  ])('refuses %s', (_, bytes) => {
    expect(() => read(Buffer.from(bytes))).toThrow();
  });

  it('is quick and safe with any bytes', () => {
    const whole = append.requestSerialize(proposal());
    const damaged = fc.tuple(fc.nat(whole.length - 1), fc.nat(255), fc.nat(whole.length)).map(([at, byte, end]) => {
      const bytes = Buffer.from(whole);
      bytes[at] = byte;
      return bytes.subarray(0, end);
    });
    const anything = fc.uint8Array({ maxLength: 64 }).map((bytes) => Buffer.from(bytes));
    fc.assert(
      fc.property(fc.oneof(damaged, anything), (bytes) => {
        try {
          expect(read(bytes)).toBeInstanceOf(streams.AppendReq);
        } catch (error) {
          expect(error).toBeInstanceOf(Error);
        }
      }),
      { numRuns: 5_000, interruptAfterTimeLimit: 4_000, markInterruptAsFailure: true },
    );
  });

  it('keeps nothing of the bytes that it was given', () => {
    const bytes = append.requestSerialize(proposal());
    const data = read(bytes).getProposedMessage()!.getData_asU8();
    bytes.fill(0);
    expect([...data]).toEqual([0, 255, 128]);
  });
});
