/** Figures as people read them, and texts with nothing in them that a terminal would obey. */

const MINUTE_MS = 60_000;

/** `1,234,567`. */
export function figure(count: number): string {
  return Math.round(count).toLocaleString('en-US');
}

/** `1 event`, `2,000 events`. */
export function counted(count: number, noun: string): string {
  return `${figure(count)} ${noun}${count === 1 ? '' : 's'}`;
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

/** A time that somebody waits through: `1.2 s`, `3 m 05 s`. */
export function elapsed(ms: number): string {
  if (ms < MINUTE_MS) return `${(ms / 1000).toFixed(1)} s`;
  const seconds = Math.floor((ms % MINUTE_MS) / 1000);
  return `${Math.floor(ms / MINUTE_MS)} m ${String(seconds).padStart(2, '0')} s`;
}

/** The text with its control characters made visible: names come from elsewhere, and a terminal believes what it is told. */
export function printable(text: string): string {
  // oxlint-disable-next-line no-control-regex -- they are what is looked for
  return text.replace(/[\u0000-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/g, (character) => {
    return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;
  });
}
