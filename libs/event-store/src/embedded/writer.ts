/**
 * Where the writer's thread begins, and what goes in and out of it.
 *
 * Node loads this file as it stands, from `dist/` or from the sources; among the sources a `.js` that is imported is the `.ts`
 * beside it, which is told here. So the thread may import, of ours, only by relative paths, and only files whose TypeScript can
 * be erased.
 */
import { registerHooks } from 'node:module';
import type { PackedBatch } from './batch.js';

export interface WriterData {
  readonly file: string;
  /** Shared; counted up and notified after every message, so that the thread can sleep without an event loop. */
  readonly bell: Int32Array<SharedArrayBuffer>;
}

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

if (import.meta.url.endsWith('.ts')) {
  registerHooks({
    resolve: (specifier, context, next) =>
      next(specifier.startsWith('.') ? specifier.replace(/\.js$/, '.ts') : specifier, context),
  });
}

const { serve } = await import('./writer-loop.js');
serve();
