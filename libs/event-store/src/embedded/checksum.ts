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
  const { id, type, contentType, data, metadata } = event;
  const head = `${stream}\0${revision}\0${created}\0${id}\0${type}\0${data.length}${contentType === 'binary' ? '\0binary' : ''}`;
  return crc32(metadata, crc32(data, crc32(head)));
}

const place = new DataView(new ArrayBuffer(8));
const placeBytes = new Uint8Array(place.buffer);

/** Over everything: what is stored. */
export function storedChecksum(position: number, content: number): number {
  place.setFloat64(0, position);
  return crc32(placeBytes, content);
}
