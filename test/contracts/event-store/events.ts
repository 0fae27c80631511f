/** What the tests of event stores append, and how they gather what they read. */
import { randomUUID } from 'node:crypto';
import type { NewEvent, RecordedEvent } from '@vw/event-store';

/** So many events that differ in id and bytes. */
export function events(count: number): NewEvent[] {
  return Array.from({ length: count }, (_, index) => ({
    id: randomUUID(),
    type: 'WorkspaceRefined',
    contentType: 'json',
    data: Buffer.from(JSON.stringify({ index, filler: 'x'.repeat(index % 40) })),
    metadata: Buffer.from('{}'),
  }));
}

export async function collect(reading: AsyncIterable<RecordedEvent>): Promise<RecordedEvent[]> {
  const all: RecordedEvent[] = [];
  for await (const event of reading) all.push(event);
  return all;
}
