/** The embedded store keeps the port's contract. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openEmbeddedStore } from '@vw/event-store';
import { systemClock } from '@vw/runtime';
import { eventStoreContract } from './suite.js';

eventStoreContract('embedded', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'event-store-'));
  const open = () => openEmbeddedStore({ file: join(folder, 'log.db'), clock: systemClock });
  const store = await open();
  let current = store;
  return {
    store,
    reopen: async () => {
      await current.close();
      current = await open();
      return current;
    },
    dispose: async () => {
      await current.close();
      await rm(folder, { recursive: true, force: true });
    },
  };
});
