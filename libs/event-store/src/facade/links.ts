/** Link events: type `$>`, whose data `revision@stream` names another event. A reader may ask to be given that one beside it. */
import type { EventLog } from '../log.js';
import type { RecordedEvent } from '../port.js';

const LINK_TYPE = '$>';
const LINK = /^(\d{1,15})@([^]+)$/;

/** What a reader is given for an event of the log: the event and, where it was a link, the link; the event is gone when it leads nowhere. */
export interface Resolved {
  readonly event: RecordedEvent | undefined;
  readonly link: RecordedEvent | undefined;
}

export const unresolved = (event: RecordedEvent): Resolved => ({ event, link: undefined });

/** A link leads nowhere for whoever may not read what it leads to. */
export function resolved(log: EventLog, link: RecordedEvent, mayRead: (stream: string) => boolean): Resolved {
  if (link.type !== LINK_TYPE) return unresolved(link);
  const [, revision, stream] = LINK.exec(Buffer.from(link.data).toString()) ?? [];
  if (revision === undefined || stream === undefined) return unresolved(link);
  return { event: mayRead(stream) ? eventAt(log, stream, Number(revision)) : undefined, link };
}

function eventAt(log: EventLog, stream: string, revision: number): RecordedEvent | undefined {
  if (log.describe(stream).state !== 'live') return undefined;
  const [event] = log.pageOfStream(stream, revision, 'forwards', 1).events;
  return event?.revision === revision ? event : undefined;
}
