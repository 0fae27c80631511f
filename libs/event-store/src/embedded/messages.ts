/** What the ledger's side and the writer's thread say to one another. */
import type { PackedBatch } from './batch.js';

export type ToWriter = PackedBatch | { readonly kind: 'close' };

export interface Failure {
  readonly code: string;
  readonly message: string;
}

export type FromWriter =
  | { readonly kind: 'opened'; readonly head: number; readonly migratedFrom?: number | undefined }
  | { readonly kind: 'refused'; readonly because: 'in-use' | 'format' | 'unavailable'; readonly failure: Failure }
  /** Two numbers for each command, as `log-writer.ts` answers it. */
  | { readonly kind: 'settled'; readonly answers: Float64Array; readonly head: number }
  | { readonly kind: 'failed'; readonly count: number; readonly failure: Failure };
