/** How events lie in a file, one a line. */
import type { RecordedEvent } from '@vw/event-store';
import type { Members } from './fields.js';

export interface Format {
  readonly name: 'ndjson' | 'cloudevents';
  /** The first line, without its newline, where the format has one. */
  readonly head: string | undefined;
  /** @throws Misshapen */
  judgeHead(members: Members): void;
  /** One line, without its newline. */
  encode(event: RecordedEvent): string;
  /** @throws Misshapen when the line is no event; RangeError when it is nested too deep */
  decode(members: Members): RecordedEvent;
  /** The last line, where the format has one. @param sha256 of every byte before it, in lower-case hexadecimal */
  end(events: number, sha256: string): string | undefined;
  /** What the line says of the end, if it is the last one. @throws Misshapen */
  endIn(members: Members): { readonly events: number; readonly sha256: string } | undefined;
}
