/**
 * Payloads travel as JSON text, also inside one process: a receiver then holds a copy that nobody else can change, and what a real
 * network would lose (a Map, a function, undefined) is lost here too, where the tests see it.
 */
import { BusRefused } from './port.js';
import type { Payload } from './port.js';

/** NATS's own default for `max_payload`. */
export const LARGEST_PAYLOAD_BYTES = 1024 * 1024;

/** @throws BusRefused BAD_PAYLOAD (no object, a cycle, a bigint), PAYLOAD_TOO_LARGE */
export function encode(payload: Payload): string {
  const text = jsonOf(payload);
  const sizeBytes = Buffer.byteLength(text);
  if (sizeBytes > LARGEST_PAYLOAD_BYTES) {
    throw new BusRefused(
      'PAYLOAD_TOO_LARGE',
      `a payload of ${sizeBytes} bytes is over the limit of ${LARGEST_PAYLOAD_BYTES}`,
    );
  }
  return text;
}

export function decode(text: string): Payload {
  return JSON.parse(text) as Payload;
}

function jsonOf(payload: Payload): string {
  let text: string | undefined;
  try {
    text = JSON.stringify(payload);
  } catch (cause) {
    throw new BusRefused('BAD_PAYLOAD', 'the payload cannot be said in JSON', { cause });
  }
  if (text?.startsWith('{')) return text;
  throw new BusRefused('BAD_PAYLOAD', `a payload is a JSON object, not ${text?.slice(0, 40) ?? typeof payload}`);
}
