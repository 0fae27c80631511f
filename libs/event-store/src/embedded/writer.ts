/**
 * Where the writer's thread begins.
 *
 * Node loads this file as it stands, from `dist/` or from the sources; among the sources a `.js` that is imported is the `.ts`
 * beside it, which is told here. So the thread may import, of ours, only by relative paths, and only files whose TypeScript can
 * be erased.
 */
import { registerHooks } from 'node:module';
import { parentPort, workerData } from 'node:worker_threads';

export interface WriterData {
  readonly file: string;
  /** Shared; counted up and notified after every message, so that the thread can sleep without an event loop. */
  readonly bell: Int32Array<SharedArrayBuffer>;
}

if (import.meta.url.endsWith('.ts')) {
  registerHooks({
    resolve: (specifier, context, next) =>
      next(specifier.startsWith('.') ? specifier.replace(/\.js$/, '.ts') : specifier, context),
  });
}

if (!parentPort) throw new Error('the writer of an event store is a thread, not a program');
const { file, bell } = workerData as WriterData;
const { serve } = await import('./writer-loop.js');
serve(parentPort, file, bell);
