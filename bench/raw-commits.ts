/** The yardstick's thread (`raw-commits.worker.ts`), as benchmarks hold it in their hands. */
import { once } from 'node:events';
import { extname } from 'node:path';
import { Worker } from 'node:worker_threads';
import { openEmbeddedStore } from '@vw/event-store';
import { systemClock, systemIds } from '@vw/runtime';
import type { RawData, RawResult, RawSlice } from './raw-commits.worker.js';

const entry = new URL(`./raw-commits.worker${extname(new URL(import.meta.url).pathname)}`, import.meta.url);

export interface RawCommits {
  /** Commits so many groups one after the other. Ids are made beforehand: they are the callers' affair on both sides. */
  commit(groups: number): Promise<RawResult>;
  close(): Promise<void>;
}

export async function openRaw(workerData: RawData): Promise<RawCommits> {
  const store = await openEmbeddedStore({ file: workerData.file, clock: systemClock });
  await store.close();
  const worker = new Worker(entry, { workerData, execArgv: [] });
  return {
    async commit(groups) {
      const ids = Array.from({ length: groups * workerData.groupSize }, () => systemIds.next());
      worker.postMessage({ groups, ids } satisfies RawSlice, []);
      const [result] = (await once(worker, 'message')) as [RawResult];
      return result;
    },
    async close() {
      await worker.terminate();
    },
  };
}
