/**
 * What the metadata of a stream says: JSON in the newest event of `$$stream`, with keys of EventStoreDB's among those of the
 * stream's users (server documentation, "Stream metadata and reserved names"). Theirs are kept to the letter.
 */
import type { AccessList, StreamMetadata } from '../log.js';
import { DELETED_TB } from '../log.js';

/** Whose metadata a stream holds, if its name says that it holds any. */
export function describedBy(stream: string): string | undefined {
  return stream.startsWith('$$') ? stream.slice(2) : undefined;
}

export function metadataStreamOf(stream: string): string {
  return `$$${stream}`;
}

/** The part that the store heeds; whatever is malformed is as if it were absent. */
export function parseMetadata(json: string): StreamMetadata {
  const { $maxCount, $maxAge, $tb, $acl } = objectIn(json);
  return {
    ...(isCount($maxCount) && $maxCount > 0 && { maxCount: $maxCount }),
    ...(isCount($maxAge) && $maxAge > 0 && { maxAgeSeconds: $maxAge }),
    ...(isCount($tb) && { truncateBefore: Math.min($tb, DELETED_TB) }),
    ...(isObject($acl) && { acl: accessListIn($acl) }),
  };
}

export function isDeleted({ truncateBefore = 0 }: StreamMetadata): boolean {
  return truncateBefore >= DELETED_TB;
}

/** The same metadata with another `$tb`. From DELETED_TB on it is written as the protocol has it, int64.max. */
export function withTruncateBefore(json: string, truncateBefore: number): string {
  const $tb = rawNumber(truncateBefore >= DELETED_TB ? '9223372036854775807' : String(truncateBefore));
  return JSON.stringify({ ...objectIn(json, asWritten), $tb });
}

/** A number that JSON.stringify writes as it stands here: the users' own may be longer than a number of JavaScript. */
function rawNumber(text: string): unknown {
  return (JSON as unknown as { rawJSON(text: string): unknown }).rawJSON(text);
}

function asWritten(_key: string, value: unknown, context?: { readonly source?: string }): unknown {
  return typeof value === 'number' && context?.source !== undefined ? rawNumber(context.source) : value;
}

function objectIn(json: string, reviver?: Parameters<typeof JSON.parse>[1]): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(json, reviver);
    return isObject(value) ? value : {};
  } catch {
    return {};
  }
}

function accessListIn(acl: Record<string, unknown>): AccessList {
  const entries = ['$r', '$w', '$d', '$mr', '$mw'].flatMap((right) => {
    const granted = acl[right];
    if (typeof granted === 'string') return [[right, [granted]]];
    return Array.isArray(granted) && granted.every((who) => typeof who === 'string') ? [[right, granted]] : [];
  });
  return Object.fromEntries(entries) as AccessList;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** A whole number from 0 on, however large: int64.max is not a safe one. */
function isCount(value: unknown): value is number {
  return Number.isInteger(value) && (value as number) >= 0;
}
