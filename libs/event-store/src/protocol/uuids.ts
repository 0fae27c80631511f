/**
 * UUIDs of the protocol: two signed 64-bit halves, or a text in any form that .NET's Guid.Parse takes (the official server
 * takes those: any case; with dashes or without; in braces or parentheses). Above, always 36 characters in lower case.
 */
import { shared } from './generated.js';

export type UuidForm = 'structured' | 'string';

const DASHED = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;
const PLAIN = /^[0-9a-f]{32}$/;
const WRAPPED = /^(?:\{(.*)\}|\((.*)\))$/;

/** @throws RangeError when the message is absent, empty, or a text that names no UUID */
export function uuidOf(message: shared.UUID | undefined): string {
  const structured = message?.getStructured();
  if (structured) return uuidOfHalves(structured.getMostSignificantBits(), structured.getLeastSignificantBits());
  if (!message?.hasString()) throw new RangeError('no UUID given');
  return uuidOfText(message.getString());
}

/** @throws RangeError when the text names no UUID */
export function uuidOfText(text: string): string {
  if (DASHED.test(text)) return text;
  const lower = text.trim().toLowerCase();
  const wrapped = WRAPPED.exec(lower);
  const bare = wrapped?.[1] ?? wrapped?.[2] ?? lower;
  if (DASHED.test(bare)) return bare;
  if (!wrapped && PLAIN.test(bare)) return dashed(bare);
  throw new RangeError(`'${text.slice(0, 72)}' is no UUID`);
}

export function uuidMessage(uuid: string, form: UuidForm): shared.UUID {
  const message = new shared.UUID();
  if (form === 'string') {
    message.setString(uuid);
    return message;
  }
  const hex = uuid.replaceAll('-', '');
  const halves = new shared.UUID.Structured();
  halves.setMostSignificantBits(signedHalf(hex.slice(0, 16)));
  halves.setLeastSignificantBits(signedHalf(hex.slice(16)));
  message.setStructured(halves);
  return message;
}

function uuidOfHalves(most: string, least: string): string {
  return dashed(unsignedHalf(most) + unsignedHalf(least));
}

function dashed(hex: string): string {
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
}

function signedHalf(hex: string): string {
  return BigInt.asIntN(64, BigInt(`0x${hex}`)).toString();
}

function unsignedHalf(signed: string): string {
  return BigInt.asUintN(64, BigInt(signed)).toString(16).padStart(16, '0');
}
