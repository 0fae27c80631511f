/** The CLI's own time and chance: no other file of it reads a clock, sleeps, or draws a random id. */
import { randomUUID } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';

/** Milliseconds since the Unix epoch, UTC. */
export function now(): number {
  return Date.now();
}

/** Answers how many milliseconds have passed since it was made, whatever happens to the machine's clock. */
export function stopwatch(): () => number {
  const begun = performance.now();
  return () => performance.now() - begun;
}

/** @throws the signal's AbortError when it is interrupted. */
export async function sleep(ms: number, interrupted: AbortSignal): Promise<void> {
  await pause(ms, undefined, { signal: interrupted });
}

/** Aborts its signal after the given time, unless it is called off before. */
export function countdown(ms: number): { readonly signal: AbortSignal; callOff(): void } {
  const controller = new AbortController();
  const timer = setTimeout(() => controller.abort(), ms);
  return { signal: controller.signal, callOff: () => clearTimeout(timer) };
}

/** An instant for people and programs: RFC 3339 in UTC, whatever the machine's zone. */
export function rfc3339(instantMs: number): string {
  return new Date(instantMs).toISOString();
}

/** The milliseconds of an RFC 3339 instant. Its zone must be given: what a local time means depends on where one sits. */
export function instantOf(text: string): number | undefined {
  if (!/^\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:\d\d)$/i.test(text)) return undefined;
  const instant = Date.parse(text);
  return Number.isNaN(instant) ? undefined : instant;
}

export function freshCommandId(): string {
  return randomUUID();
}
