/**
 * The checksum of one event, over everything a reader is told of it. It comes in two steps, because the two ends of it are known
 * in two places: the event's content where its bytes enter the store, its position in the transaction that writes it. Verified
 * where the bytes leave the store, so that the way through the writer's thread and the disk lies between.
 *
 * CRC-32 (ISO 3309, as zlib computes it), in [0, 2^32): it finds damage by accident, it is no proof against forgery.
 */
import { crc32 } from 'node:zlib';
import type { NewEvent } from '../port.js';

/** Over everything but the position. A store of format 1 kept this one. */
export function contentChecksum(stream: string, revision: number, created: number, event: NewEvent): number {
  const head = [stream, revision, created, event.id, event.type, event.data.length];
  if (event.contentType === 'binary') head.push('binary');
  return crc32(event.metadata, crc32(event.data, crc32(head.join('\u0000'))));
}

const place = new DataView(new ArrayBuffer(8));
const placeBytes = new Uint8Array(place.buffer);

/** Over everything: what is stored. */
export function storedChecksum(position: number, content: number): number {
  place.setFloat64(0, position);
  return crc32(placeBytes, content);
}
