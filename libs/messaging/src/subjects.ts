/**
 * Subjects and patterns, as PROTOCOL.md ("Subjects on the bus") has them: tokens of `[A-Za-z0-9_-]` between dots. In a pattern `*` stands for
 * one token and a last `>` for one or more. What an id may contain is checked here once more, so that no id smuggles a wildcard
 * into somebody else's subject.
 */
import { BusRefused } from './port.js';

/** The subjects an adapter must store until a consumer has taken them. */
export const DURABLE_SUBJECTS: readonly string[] = ['vw.task.*', 'vw.evidence.*', 'vw.submit.*'];

const TOKEN = /^[A-Za-z0-9_-]+$/;
const LONGEST_SUBJECT = 256;

/** @throws BusRefused BAD_SUBJECT */
export function checkSubject(subject: string): void {
  if (!withinLength(subject) || !subject.split('.').every((token) => TOKEN.test(token))) {
    throw new BusRefused('BAD_SUBJECT', `${shown(subject)} is no subject: tokens of A-Z a-z 0-9 _ - between dots`);
  }
}

/** @throws BusRefused BAD_SUBJECT */
export function checkPattern(pattern: string): void {
  const tokens = withinLength(pattern) ? pattern.split('.') : [''];
  const last = tokens.length - 1;
  if (!tokens.every((token, at) => TOKEN.test(token) || token === '*' || (token === '>' && at === last))) {
    throw new BusRefused(
      'BAD_SUBJECT',
      `${shown(pattern)} is no pattern: tokens of A-Z a-z 0-9 _ - or *, the last one perhaps >`,
    );
  }
}

/** Whether a well-formed subject is one of those that a well-formed pattern stands for. */
export function matches(pattern: string, subject: string): boolean {
  const wanted = pattern.split('.');
  const given = subject.split('.');
  const open = wanted.at(-1) === '>';
  if (open ? given.length < wanted.length : given.length !== wanted.length) return false;
  return wanted.every((token, at) => token === '*' || token === '>' || token === given[at]);
}

/** The durable pattern that a subject, or that very pattern, belongs to; undefined for what is only passed on. */
export function durableKindOf(subjectOrPattern: string): string | undefined {
  return DURABLE_SUBJECTS.find(
    (kind) => kind === subjectOrPattern || (!/[*>]/.test(subjectOrPattern) && matches(kind, subjectOrPattern)),
  );
}

function withinLength(subject: string): boolean {
  return subject.length <= LONGEST_SUBJECT;
}

function shown(subject: string): string {
  return JSON.stringify(subject.slice(0, LONGEST_SUBJECT));
}
