/** What option values mean. Commander calls these, and turns a complaint into a usage error that names the option. */
import { InvalidArgumentError } from 'commander';

/** A whole number, 0 or more. */
export function count(text: string): number {
  if (!/^\d{1,15}$/.test(text)) throw new InvalidArgumentError('It is a whole number, 0 or more.');
  return Number(text);
}

export interface Address {
  readonly host: string;
  readonly port: number;
}

/** `127.0.0.1:2113`, `[::1]:2113`, `localhost:0`. */
export function address(text: string): Address {
  const [, bracketed, plain, digits = ''] = /^(?:\[([^\]]+)\]|([^:[\]]+)):(\d{1,5})$/.exec(text) ?? [];
  const host = bracketed ?? plain;
  const port = Number(digits);
  if (host === undefined || port > 65_535)
    throw new InvalidArgumentError('It is HOST:PORT, such as 127.0.0.1:2113 or [::1]:0.');
  return { host, port };
}

export interface User {
  readonly name: string;
  readonly password: string;
}

/** `NAME:PASSWORD`. The name ends at the first colon, so a password may have more of them (RFC 7617 §2). */
export function user(text: string): User {
  const colon = text.indexOf(':');
  const [name, password] = [text.slice(0, colon), text.slice(colon + 1)];
  if (colon < 1 || password === '') throw new InvalidArgumentError('It is NAME:PASSWORD.');
  return { name, password };
}

/** One more of an option that may be given several times. */
export function userAfter(text: string, before: readonly User[] = []): User[] {
  return [...before, user(text)];
}
