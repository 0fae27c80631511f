/** Chance as a port. */
import { randomBytes, randomInt } from 'node:crypto';

export interface Random {
  /** A whole number in [0, bound). */
  below(bound: number): number;
  /** `count` bytes fit for keys and tokens. */
  bytes(count: number): Uint8Array;
}

export const systemRandom: Random = {
  below: (bound) => randomInt(bound),
  bytes: (count) => randomBytes(count),
};
