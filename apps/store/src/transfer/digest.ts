/**
 * Two digests by which stores can be compared, both sensitive to order, of the events that an export carries. Stores that say the
 * same have the same `contents`, whatever made them; a faithful copy has the same `placesAndTimes` as well.
 */
import { createHash, type Hash } from 'node:crypto';
import type { RecordedEvent } from '@vw/event-store';

export class LogDigest {
  readonly #contents: Hash = createHash('sha256');
  readonly #placesAndTimes: Hash = createHash('sha256');

  add({ stream, revision, position, id, type, contentType, created, data, metadata }: RecordedEvent): void {
    const head = [stream, revision, id, type, contentType, data.length, metadata.length];
    this.#contents
      .update(`${JSON.stringify(head)}\n`)
      .update(data)
      .update(metadata);
    this.#placesAndTimes.update(`${position} ${created}\n`);
  }

  /** SHA-256 in lower-case hexadecimal. Nothing can be added afterwards. */
  finish(): { readonly contents: string; readonly placesAndTimes: string } {
    return { contents: this.#contents.digest('hex'), placesAndTimes: this.#placesAndTimes.digest('hex') };
  }
}
