/**
 * Requests are read strictly. The reader of google-protobuf trusts the lengths that it finds: one that points beyond the
 * bytes makes it read zeros for minutes, which stops the whole server, or gives a message that nobody sent; and text that is
 * not UTF-8 it turns into other text. Here such bytes are malformed, whatever message they pretend to be, and gRPC answers so.
 *
 * The generated classes go on reading their fields; only the reader that they are handed is another.
 */
import protobuf from 'google-protobuf';

const DELIMITED = 2;
const GROUP: readonly number[] = [3, 4];

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

type ReadInto<M> = (message: M, reader: protobuf.BinaryReader) => void;

/** The base as it is, in methods: its types have properties in places, which no class could override. */
interface Reader {
  getError(): boolean;
  getCursor(): number;
  getBuffer(): Uint8Array;
  getFieldNumber(): number;
  getWireType(): number;
  advance(count: number): void;
  nextField(): boolean;
  skipField(): void;
  readInt32(): number;
  readInt64(): number;
  readBytes(): Uint8Array;
  readString(): string;
  readMessage<M>(message: M, read: ReadInto<M>): void;
}

const BaseReader = protobuf.BinaryReader as unknown as new (bytes: Uint8Array) => Reader;

class Malformed extends Error {
  override readonly name = 'Malformed';
}

export class StrictReader extends BaseReader {
  /** Where the message that is being read ends. */
  private end: number;

  constructor(bytes: Uint8Array) {
    super(bytes);
    this.end = bytes.length;
  }

  /** @throws Malformed unless the message ended where the bytes do */
  finish(): void {
    if (this.getError() || this.getCursor() !== this.end)
      throw new Malformed('the message does not end with its bytes');
  }

  override nextField(): boolean {
    if (this.getCursor() > this.end) throw new Malformed('a field goes beyond its message');
    if (!super.nextField()) return false;
    if (this.getFieldNumber() === 0) throw new Malformed('a field has no number');
    if (GROUP.includes(this.getWireType())) throw new Malformed('a group, which this protocol has none of');
    return true;
  }

  override readBytes(): Uint8Array {
    const { from, to } = this.measure();
    this.advance(to - this.getCursor());
    return this.getBuffer().subarray(from, to);
  }

  override readString(): string {
    return utf8.decode(this.readBytes());
  }

  override readMessage<M>(message: M, read: ReadInto<M>): void {
    const { to } = this.measure();
    const outer = this.end;
    this.end = to;
    super.readMessage(message, message instanceof protobuf.Map ? () => this.readEntry(message) : read);
    this.end = outer;
  }

  /** An entry of a map, both sides of it text: the package reads these past every method that could be overridden. */
  private readEntry(map: protobuf.Map<string, string>): void {
    let key = '';
    let value = '';
    while (this.nextField()) {
      if (this.getFieldNumber() === 1) key = this.readString();
      else if (this.getFieldNumber() === 2) value = this.readString();
      else this.skipField();
    }
    map.set(key, value);
  }

  /** Where the bytes of the delimited field lie whose length is next; looked at, not read. */
  private measure(): { readonly from: number; readonly to: number } {
    if (this.getWireType() !== DELIMITED) throw new Malformed('a field has the wrong wire type');
    const bytes = this.getBuffer();
    let at = this.getCursor();
    let length = 0;
    for (let factor = 1; ; factor *= 128) {
      const byte = bytes[at++];
      if (byte === undefined || at > this.end || factor > 128 ** 4)
        throw new Malformed('a length goes on for too long');
      length += (byte % 128) * factor;
      if (byte < 128) break;
    }
    if (at + length > this.end) throw new Malformed('a field goes beyond its message');
    return { from: at, to: at + length };
  }
}

interface MessageClass<M> {
  new (): M;
  deserializeBinaryFromReader(message: M, reader: protobuf.BinaryReader): M;
}

/** The method as its package defines it, its requests read strictly. */
export function strict<D extends { readonly requestDeserialize: (bytes: Buffer) => unknown }>(definition: D): D {
  const { requestType } = definition as unknown as { requestType: MessageClass<unknown> };
  return { ...definition, requestDeserialize: (bytes: Buffer) => strictly(requestType, bytes) };
}

/** The bytes are copied once, so that what is kept of them keeps no more than them. @throws Malformed */
function strictly<M>(Message: MessageClass<M>, bytes: Uint8Array): M {
  const reader = new StrictReader(new Uint8Array(bytes));
  const message = Message.deserializeBinaryFromReader(new Message(), reader as unknown as protobuf.BinaryReader);
  reader.finish();
  return message;
}
