/**
 * Commands on their way to the writer's thread, as few large values: V8 clones many small objects several times slower.
 *
 * In the order of reading, a command is the word `stream` and the numbers `operation`, `expected`, `created` and how many events;
 * each of its events is the words `id` and `type`, the numbers `checksum`, 1 if binary, length of data and length of metadata,
 * and those bytes. The checksum is that of the content if the events follow the revision `baseOf(expected)`, which a weak
 * expectation leaves open: the thread, who knows, verifies this one before it makes the right one.
 */
import type { NewEvent } from '../port.js';
import type { Expectation } from '../log.js';
import { contentChecksum } from './checksum.js';

/** Expectations as numbers, chosen so that a revision stands for itself and NO_STREAM + 1 is the revision that comes next. */
export const NO_STREAM = -1;
export const ANY = -2;
export const STREAM_EXISTS = -4;

export const APPEND = 0;
export const DELETE = 1;
export const TOMBSTONE = 2;
export type Operation = typeof APPEND | typeof DELETE | typeof TOMBSTONE;

/** In an answer, where the position would stand. */
export const WRONG_REVISION = -1;
export const TOMBSTONED = -2;
export const DAMAGED = -3;

export interface PackedBatch {
  readonly kind: 'batch';
  /** How many commands. */
  readonly count: number;
  readonly words: readonly string[];
  readonly numbers: Float64Array;
  readonly bytes: Uint8Array;
}

export interface Command {
  readonly operation: Operation;
  readonly stream: string;
  readonly expected: number;
  readonly created: number;
  readonly events: readonly PackedEvent[];
}

export interface PackedEvent extends NewEvent {
  readonly checksum: number;
}

/** What a full batch of ordinary events needs. */
const FIRST_BATCH_BYTES = 16 * 1024;

/** What an event takes in memory beside its type and bytes: its id, its numbers, and the objects around them. */
const EVENT_OVERHEAD_BYTES = 128;

export function numberOf(expected: Expectation): number {
  switch (expected) {
    case 'no-stream':
      return NO_STREAM;
    case 'any':
      return ANY;
    case 'stream-exists':
      return STREAM_EXISTS;
    default:
      return expected;
  }
}

/** The revision that the events are taken to follow until it is known. */
export function baseOf(expected: number): number {
  return Math.max(expected, NO_STREAM);
}

/** What one turn of the event loop commands, or a part of it. The bytes are copied in at once: the caller may reuse its own. */
export class Batch {
  readonly #words: string[] = [];
  readonly #numbers: number[] = [];
  #bytes = new Uint8Array(FIRST_BATCH_BYTES);
  #length = 0;
  #count = 0;

  get count(): number {
    return this.#count;
  }

  /** Returns what it added, in bytes of memory. */
  add(operation: Operation, stream: string, expected: number, created: number, events: readonly NewEvent[]): number {
    const before = this.#length;
    let overheadBytes = 0;
    this.#words.push(stream);
    this.#numbers.push(operation, expected, created, events.length);
    let revision = baseOf(expected);
    for (const event of events) {
      const checksum = contentChecksum(stream, ++revision, created, event);
      const binary = event.contentType === 'binary' ? 1 : 0;
      this.#words.push(event.id, event.type);
      this.#numbers.push(checksum, binary, event.data.length, event.metadata.length);
      overheadBytes += EVENT_OVERHEAD_BYTES + 2 * event.type.length;
      this.#put(event.data);
      this.#put(event.metadata);
    }
    this.#count += 1;
    return this.#length - before + overheadBytes;
  }

  /** The message that carries it. Its buffers may be transferred: the batch is spent. */
  pack(): PackedBatch & { readonly numbers: Float64Array<ArrayBuffer>; readonly bytes: Uint8Array<ArrayBuffer> } {
    const numbers = Float64Array.from(this.#numbers);
    return { kind: 'batch', count: this.#count, words: this.#words, numbers, bytes: this.#bytes };
  }

  #put(bytes: Uint8Array): void {
    const end = this.#length + bytes.length;
    if (end > this.#bytes.length) {
      const larger = new Uint8Array(Math.max(end, 2 * this.#bytes.length));
      larger.set(this.#bytes.subarray(0, this.#length));
      this.#bytes = larger;
    }
    this.#bytes.set(bytes, this.#length);
    this.#length = end;
  }
}

export function unpack({ count, words, numbers, bytes }: PackedBatch): Command[] {
  let word = 0;
  let number = 0;
  let byte = 0;
  const nextWord = (): string => words[word++] ?? '';
  const nextNumber = (): number => numbers[number++] ?? 0;
  const nextBytes = (length: number): Uint8Array => bytes.subarray(byte, (byte += length));
  const nextEvent = (): PackedEvent => {
    const checksum = nextNumber();
    const contentType = nextNumber() === 1 ? 'binary' : 'json';
    const dataBytes = nextNumber();
    const metadataBytes = nextNumber();
    return {
      id: nextWord(),
      type: nextWord(),
      contentType,
      checksum,
      data: nextBytes(dataBytes),
      metadata: nextBytes(metadataBytes),
    };
  };
  const commands: Command[] = [];
  while (commands.length < count) {
    const stream = nextWord();
    const operation = nextNumber() as Operation;
    const expected = nextNumber();
    const created = nextNumber();
    const events: PackedEvent[] = [];
    for (let left = nextNumber(); left > 0; left -= 1) events.push(nextEvent());
    commands.push({ operation, stream, expected, created, events });
  }
  return commands;
}
