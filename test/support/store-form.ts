/**
 * Which event store the services of a test have: the embedded one, or (VW_TEST_STORE=kurrentdb, as the project `system on kurrentdb` says) the same log behind
 * EventStoreDB's protocol in another process. The tests themselves are the same.
 */
import { join } from 'node:path';
import { afterAll } from 'vitest';
import { StoreProcess } from './store-process.js';

export const storeForm = process.env['VW_TEST_STORE'] === 'kurrentdb' ? 'kurrentdb' : 'embedded';

/** By the data folder of the service that has it. */
const stores = new Map<string, StoreProcess>();

/** The store process of the service with this data folder; started the first time, and ended after the tests of the file. */
async function storeBeside(data: string): Promise<StoreProcess> {
  const known = stores.get(data);
  if (known !== undefined) return known;
  const store = await StoreProcess.start(join(data, 'store'));
  stores.set(data, store);
  return store;
}

/** What the service with this data folder must be told of its store. */
export async function storeSettings(data: string): Promise<Record<string, string>> {
  return storeForm === 'embedded' ? {} : { VW_STORE: (await storeBeside(data)).connection };
}

if (storeForm === 'kurrentdb') {
  afterAll(async () => {
    for (const store of stores.values()) await store.stop();
    stores.clear();
  });
}
