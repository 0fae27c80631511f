/** Members of an event in a file, each judged by what a store takes. A file from elsewhere is believed in nothing. */
import { appendBytes, maxAppendBytes, type Position, type RecordedEvent } from '@vw/event-store';

export type Members = { readonly [member: string]: unknown };

/** The line is JSON, and no event: the message says which member is not what. */
export class Misshapen extends Error {}

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;
const LONGEST_TYPE = 1024;

export function textOf(members: Members, member: string): string {
  const value = members[member];
  if (typeof value !== 'string' || value === '' || !value.isWellFormed()) {
    throw new Misshapen(`has no ${member}, or one that is no text`);
  }
  return value;
}

/** A whole number from the least on, as a number or, since not every reader of JSON takes large ones, in digits. */
export function wholeOf(members: Members, member: string, least: number): number {
  const value = members[member];
  const number = typeof value === 'string' && /^\d{1,16}$/.test(value) ? Number(value) : value;
  if (typeof number !== 'number' || !Number.isSafeInteger(number) || number < least) {
    throw new Misshapen(`has no ${member} that is a whole number from ${least} on`);
  }
  return number;
}

/** The event as a whole. @throws Misshapen when no store would have it */
export function judged(event: Omit<RecordedEvent, 'position'> & { readonly position: number }): RecordedEvent {
  if (!UUID.test(event.id))
    throw new Misshapen(`has the id ${JSON.stringify(event.id)}, which is no UUID in lower case`);
  if (event.type.length > LONGEST_TYPE) throw new Misshapen(`has a type of more than ${LONGEST_TYPE} characters`);
  const bytes = appendBytes([event]);
  if (bytes > maxAppendBytes) throw new Misshapen(`has an event of ${bytes} bytes; a store takes ${maxAppendBytes}`);
  return { ...event, position: event.position as Position };
}
