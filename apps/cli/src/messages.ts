/** The messages of an event stream (WHATWG HTML, "Server-sent events"). */
import { createParser, type EventSourceMessage } from 'eventsource-parser';

/** No event of the ledger comes near it; without a bound one endless line would be kept for ever. */
const LONGEST_MESSAGE = 16 * 1024 * 1024;

/**
 * The data of each message that has an id, in order; one without is about the stream, not of the log. Ends when the stream
 * ends; an unfinished message is dropped, since it will be sent again.
 */
export async function* readMessages(body: ReadableStream<Uint8Array>): AsyncGenerator<string> {
  const arrived: string[] = [];
  const keep = ({ id, data }: EventSourceMessage) => {
    if (id !== undefined) arrived.push(data);
  };
  const parser = createParser({ maxBufferSize: LONGEST_MESSAGE, onEvent: keep });
  const decoder = new TextDecoder();
  for await (const bytes of body) {
    parser.feed(decoder.decode(bytes, { stream: true }));
    yield* arrived.splice(0);
  }
}
