/** An event in a line: what happened, and the facts in it that fit. */
import type { EventView } from '@vw/contracts';
import type { Output } from './output.js';
import { instant, printable } from './text.js';

/** The stream or the event names these already. */
const known = new Set(['workspaceId', 'requestId', 'commandId']);
const instants = new Set(['leaseUntil', 'deadline', 'since', 'expiresAt', 'lastHeard']);

/** `hostId=local epoch=3`: flat facts only; what has parts is read with --json. */
export function factsOf(event: EventView): string {
  return Object.entries(event.data)
    .filter(([name, value]) => !known.has(name) && (typeof value !== 'object' || value === null))
    .map(
      ([name, value]) => `${name}=${instants.has(name) && value !== null ? instant(value) : printable(String(value))}`,
    )
    .join(' ');
}

export function eventLine(output: Output, event: EventView): string {
  const when = output.paint('dim', printable(event.recordedAt));
  return `${when}  ${printable(event.stream)}  ${output.paint('bold', printable(event.type))}  ${factsOf(event)}`.trimEnd();
}
