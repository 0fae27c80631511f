/** Followers of the log over real connections: they leave others a turn, there is room for so many, and whoever leaves makes room. */
import { encodeEvent } from '@vw/projections';
import { silentLogger, systemTimers } from '@vw/runtime';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { Ledger } from '../../ledger.js';
import { createHttpServer } from '../server.js';

const logged = 5_000;
const expired = {
  stream: 'workspace-w1',
  created: 0,
  ...encodeEvent(
    { type: 'WorkspaceExpired', data: { expiresAt: 0 } },
    {
      schemaVersion: 1,
      principal: { subject: 'CN=alice', attributes: {}, method: 'asserted-on-loopback' },
      recordedAt: 0,
      correlationId: 'c',
      causationId: 'c',
    },
  ),
};

let complaints = 0;
const logger = { ...silentLogger, error: () => (complaints += 1) };
const closing = new AbortController();
let app: Awaited<ReturnType<typeof createHttpServer>>;
let url: string;

beforeAll(async () => {
  const store = {
    /** Has everything at hand: of its own it never steps aside. */
    async *subscribeAll(after: number, signal: AbortSignal) {
      for (let position = after + 1; position <= logged; position += 1) {
        yield { kind: 'event', event: { ...expired, position, revision: position - 1, id: `e${position}` } };
      }
      yield { kind: 'caught-up', position: logged };
      if (!signal.aborted) await new Promise((resolve) => signal.addEventListener('abort', resolve));
    },
  };
  const ledger = { ports: { logger, timers: systemTimers, store }, closing: closing.signal };
  app = await createHttpServer(ledger as unknown as Ledger);
  await app.listen(0, '127.0.0.1');
  url = await app.getUrl();
});

afterAll(async () => {
  closing.abort();
  await app.close();
});

const follow = (signal?: AbortSignal, after = logged): Promise<Response> =>
  fetch(`${url}/v1/events?after=${after}`, { signal });

it('answers others while many followers catch up', async () => {
  const leaving = new AbortController();
  let caughtUp = 0;
  const reading = Array.from({ length: 20 }, async () => {
    const { body } = await follow(leaving.signal, 0);
    for await (const chunk of body!.pipeThrough(new TextDecoderStream())) {
      if (chunk.includes('event: caught-up')) break;
    }
    caughtUp += 1;
  });
  expect((await fetch(`${url}/healthz`)).status).toBe(200);
  expect(caughtUp).toBe(0);
  await Promise.all(reading);
  leaving.abort();
});

it('takes 64 followers, refuses the next, and takes it once another has left', async () => {
  const leaving = new AbortController();
  const following = await Promise.all(
    Array.from({ length: 64 }, (_, n) => follow(n === 0 ? leaving.signal : undefined)),
  );
  expect(new Set(following.map(({ status }) => status))).toEqual(new Set([200]));

  const refused = await follow();
  expect(refused.status).toBe(503);
  expect(await refused.json()).toMatchObject({ reason: 'TOO_MANY_FOLLOWERS' });
  expect(complaints).toBe(0);

  leaving.abort();
  await expect.poll(async () => (await follow()).status).toBe(200);
});
