/** What is known of streams, remembered. Whoever commits says what has changed, before anyone else can know that it has. */
import type { StreamDescription } from '../log.js';
import type { Operation } from './batch.js';
import { APPEND } from './batch.js';
import { describedBy, isDeleted, metadataStreamOf, parseMetadata } from './metadata.js';
import type { StreamState } from './reader.js';

/** Streams that are remembered; beyond it the memory starts anew. */
const REMEMBERED = 10_000;

export class Descriptions {
  readonly #read: (stream: string) => StreamState;
  readonly #known = new Map<string, StreamDescription>();

  constructor(read: (stream: string) => StreamState) {
    this.#read = read;
  }

  of(stream: string): StreamDescription {
    let description = this.#known.get(stream);
    if (!description) {
      description = this.#describe(stream);
      if (this.#known.size >= REMEMBERED) this.#known.clear();
      this.#known.set(stream, description);
    }
    return description;
  }

  /** The stream's last revision is at least this now; or, after anything but an ordinary append, whatever the log says. */
  changed(stream: string, operation: Operation, revision: number): void {
    if (this.#known.size === 0) return;
    const known = this.#known.get(stream);
    const described = describedBy(stream);
    if (operation === APPEND && described === undefined && known?.state === 'live') {
      if (known.head === 'no-stream' || known.head < revision) this.#known.set(stream, { ...known, head: revision });
      return;
    }
    for (const touched of [stream, metadataStreamOf(stream), described]) {
      if (touched !== undefined) this.#known.delete(touched);
    }
  }

  /** What is asked next is read again. */
  forget(): void {
    this.#known.clear();
  }

  #describe(stream: string): StreamDescription {
    const { head, tombstoned, metadata: event } = this.#read(stream);
    // A stream of metadata is as lasting as what it describes, and keeps its newest event in view.
    const described = describedBy(stream);
    const json = event?.contentType === 'json' ? Buffer.from(event.data).toString() : '';
    const metadata = described === undefined ? parseMetadata(json) : { maxCount: 1 };
    const state = (): StreamDescription['state'] => {
      if (tombstoned || (described !== undefined && this.of(described).state === 'tombstoned')) return 'tombstoned';
      if (isDeleted(metadata)) return 'deleted';
      return head === undefined ? 'absent' : 'live';
    };
    return { state: state(), head: head ?? 'no-stream', metadata };
  }
}
