/** Values as people read them: short, in UTC, and with nothing in them that a terminal would obey. */
import { instantOf, rfc3339 } from '../time.js';

const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/** A length of time in its largest unit: `12 s`, `3 m`, `5 h`, `2 d`. */
function roughly(ms: number): string {
  if (ms < MINUTE) return `${Math.max(0, Math.floor(ms / SECOND))} s`;
  if (ms < HOUR) return `${Math.floor(ms / MINUTE)} m`;
  if (ms < 2 * DAY) return `${Math.floor(ms / HOUR)} h`;
  return `${Math.floor(ms / DAY)} d`;
}

/** How long ago an instant was; a clock that runs behind the ledger's shows `0 s`. */
export function age(instant: string, nowMs: number): string {
  return roughly(nowMs - millisecondsOf(instant));
}

/** `in 58 m` or `3 m ago`. */
export function distance(instant: string, nowMs: number): string {
  const ms = millisecondsOf(instant) - nowMs;
  return ms >= 0 ? `in ${roughly(ms)}` : `${roughly(-ms)} ago`;
}

/** What a ledger calls an instant and is none shows as `NaN`, which is seen, and ends nothing. */
function millisecondsOf(instant: string): number {
  return instantOf(instant) ?? Number.NaN;
}

/** A time that somebody waits through: `1.2 s`, `3 m 05 s`. */
export function elapsed(ms: number): string {
  if (ms < MINUTE) return `${(ms / SECOND).toFixed(1)} s`;
  const seconds = Math.floor((ms % MINUTE) / SECOND);
  return `${Math.floor(ms / MINUTE)} m ${String(seconds).padStart(2, '0')} s`;
}

/** Bytes in binary units, to three figures: `525 B`, `1.41 MiB`. */
export function size(bytes: number): string {
  const units = ['KiB', 'MiB', 'GiB', 'TiB'];
  if (bytes < 1024) return `${bytes} B`;
  let value = bytes / 1024;
  while (value >= 1024 && units.length > 1) {
    value /= 1024;
    units.shift();
  }
  return `${Number(value.toPrecision(3))} ${units[0]}`;
}

/** Enough of a digest to tell it from its neighbours. */
export function shortDigest(digest: string): string {
  const [algorithm, hex = ''] = digest.split(':');
  return `${algorithm}:${hex.slice(0, 12)}`;
}

/** A fact of an event or a refusal. Instants travel there as milliseconds or as text. */
export function instant(value: unknown): string {
  return typeof value === 'number' ? rfc3339(value) : printable(String(value));
}

/** The text with its control characters made visible: names and reasons come from elsewhere, and a terminal believes what it is told. */
export function printable(text: string): string {
  // oxlint-disable-next-line no-control-regex -- they are what is looked for
  return text.replace(/[\u0000-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/g, (character) => {
    return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;
  });
}

/** The same for a text of several lines, which stay lines. */
export function printableLines(text: string): string {
  return text.split('\n').map(printable).join('\n');
}
