/** Ids as a port: time-ordered for what is new, name-based for what must come out the same when it is asked for again. */
import { v5, v7 } from 'uuid';

export interface Ids {
  /** A fresh UUID, version 7 (RFC 9562 §5.7): unique, and ordered by the time it was made. */
  next(): string;
}

export const systemIds: Ids = { next: () => v7() };

/** The namespace of every name-based id of this project, itself arbitrary and fixed for ever. */
const NAMESPACE = '5f0c2f0a-6f0e-5b6a-9d35-2d1a6c1f7b11';

/**
 * A UUID, version 5 (RFC 9562 §5.5), made of the given parts: the same parts give the same id on every machine. Parts are
 * joined by a character that no id of ours may contain, so ('a','bc') and ('ab','c') differ.
 */
export function nameBasedId(...parts: readonly string[]): string {
  return v5(parts.join('\u0000'), NAMESPACE);
}
