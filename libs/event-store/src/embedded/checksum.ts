/**
 * The checksum of one event, over everything a reader is told of it but its position. Computed where the bytes enter the
 * store and verified where they leave it, so the way through the writer's thread and the disk lies between the two.
 */
import { crc32 } from 'node:zlib';
import type { NewEvent } from '../port.js';

/** CRC-32 (ISO 3309, as zlib computes it) in [0, 2^32): it finds damage by accident, it is no proof against forgery. */
export function eventChecksum(stream: string, revision: number, created: number, event: NewEvent): number {
  const head = [stream, revision, created, event.id, event.type, event.data.length].join('\u0000');
  return crc32(event.metadata, crc32(event.data, crc32(head)));
}
