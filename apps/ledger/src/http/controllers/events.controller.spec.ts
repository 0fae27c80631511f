/** Followers of the log over real connections: there is room for so many, and whoever leaves makes room. */
import { silentLogger } from '@vw/runtime';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { Ledger } from '../../ledger.js';
import { createHttpServer } from '../server.js';

const closing = new AbortController();
let app: Awaited<ReturnType<typeof createHttpServer>>;
let url: string;

beforeAll(async () => {
  const store = {
    async *subscribeAll(after: number, signal: AbortSignal) {
      yield { kind: 'caught-up', position: after };
      if (!signal.aborted) await new Promise((resolve) => signal.addEventListener('abort', resolve));
    },
  };
  const ledger = { ports: { logger: silentLogger, store }, closing: closing.signal };
  app = await createHttpServer(ledger as unknown as Ledger);
  await app.listen(0, '127.0.0.1');
  url = `${await app.getUrl()}/v1/events`;
});

afterAll(async () => {
  closing.abort();
  await app.close();
});

it('takes 64 followers, refuses the next, and takes it once another has left', async () => {
  const leaving = new AbortController();
  const following = await Promise.all(
    Array.from({ length: 64 }, (_, n) => fetch(url, n === 0 ? { signal: leaving.signal } : {})),
  );
  expect(new Set(following.map(({ status }) => status))).toEqual(new Set([200]));

  const refused = await fetch(url);
  expect(refused.status).toBe(503);
  expect(await refused.json()).toMatchObject({ reason: 'TOO_MANY_FOLLOWERS' });

  leaving.abort();
  await expect.poll(async () => (await fetch(url)).status).toBe(200);
});
