/** What option values mean. Commander calls these, and turns a complaint into a usage error that names the option. */
import { InvalidArgumentError } from 'commander';
import { instantOf, rfc3339 } from './time.js';

const secondsIn: { readonly [unit: string]: number } = { s: 1, m: 60, h: 3_600, d: 86_400 };

/** Whole seconds: `90`, `90s`, `15m`, `2h`, `7d`. */
export function seconds(text: string): number {
  const [, amount = '', unit = 's'] = /^(\d{1,9})([smhd])?$/.exec(text) ?? [];
  const found = Number(amount) * (secondsIn[unit] ?? 1);
  if (amount === '' || found === 0) throw new InvalidArgumentError('It is a length of time: 90, 90s, 15m, 2h or 7d.');
  return found;
}

/** As `seconds`, and nothing at all is fine too. */
export function secondsOr(otherwise: number): (text: string) => number {
  return (text) => (text === '' ? otherwise : seconds(text));
}

/** A whole number, 0 or more. */
export function count(text: string): number {
  if (!/^\d{1,15}$/.test(text)) throw new InvalidArgumentError('It is a whole number, 0 or more.');
  return Number(text);
}

/** An RFC 3339 instant with its zone; answered in UTC. */
export function instant(text: string): string {
  const found = instantOf(text);
  if (found === undefined)
    throw new InvalidArgumentError('It is an instant with its zone, such as 2030-01-31T12:00:00Z.');
  return rfc3339(found);
}
