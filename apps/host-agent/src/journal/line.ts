/** A record as one line: `{"crc":"<8 hexadecimal digits>","record":…}`, with the CRC32 (ISO 3309) of the record's own JSON text in UTF-8. */
import { crc32 } from 'node:zlib';
import type { JournalRecord } from './records.js';

const LINE = /^\{"crc":"([0-9a-f]{8})","record":(.*)\}$/;

export function lineOf(record: JournalRecord): string {
  const text = JSON.stringify(record);
  return `{"crc":"${checksum(text)}","record":${text}}\n`;
}

/** The record in a line (without its line feed), or undefined where the line is not the one that was written. */
export function recordIn(line: string): JournalRecord | undefined {
  const [, crc, text] = LINE.exec(line) ?? [];
  if (text === undefined || checksum(text) !== crc) return undefined;
  return JSON.parse(text) as JournalRecord;
}

function checksum(text: string): string {
  return crc32(text).toString(16).padStart(8, '0');
}
