/** One store that several use: two ledgers that decide on the same workspaces, and strangers who write what is none of the ledger's. */
import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { EventStoreDBClient, jsonEvent } from '@eventstore/db-client';
import { type NewEvent, openStore } from '@vw/event-store';
import { silentLogger, systemClock, systemIds, systemRandom, systemTimers } from '@vw/runtime';
import { expect, it, onTestFinished } from 'vitest';
import type { Api } from '../support/api.js';
import { startService } from '../support/service-process.js';
import { StoreProcess } from '../support/store-process.js';
import { temporaryFolder } from '../support/temporary.js';

const context = {
  clock: systemClock,
  timers: systemTimers,
  ids: systemIds,
  random: systemRandom,
  logger: silentLogger,
};

it('gives a lock to one of two ledgers’ clients, and neither decides on what it remembers of the other’s past', async () => {
  const { folder, store } = await storeInUse();
  const a = await ledger(folder, 'a', store);
  const b = await ledger(folder, 'b', store);
  const id = await a.create();
  const ledgers = [a, b];
  for (let round = 0; round < 6; round += 1) {
    const [one, other] = [ledgers[round % 2]!, ledgers[(round + 1) % 2]!];
    const clients = Array.from({ length: 20 }, (_, n) => `CN=client-${n}`);
    const answers = await Promise.all(clients.map((as, n) => ledgers[n % 2]!.command(id, 'check-out', {}, { as })));
    const winner = clients[answers.findIndex(({ status }) => status === 202)] ?? '';
    expect(answers.filter(({ status }) => status === 202)).toHaveLength(1);
    for (const { body } of answers.filter(({ status }) => status !== 202))
      expect(body).toMatchObject({ reason: 'LOCK_HELD', found: { holder: winner, epoch: round + 1 } });
    const { status, body } = await one.command(id, 'check-in', {}, { as: winner });
    expect(status).toBe(202);
    // The other ledger remembers the lock as held, and may not have been told otherwise when it is asked.
    const again = await other.command(id, 'check-in', {}, { as: winner });
    expect(again.body).toMatchObject({ outcome: 'already-done', revision: body.revision, position: body.position });
  }
  const command = { commandId: 'at-both', as: 'CN=ann' };
  const both = await Promise.all(ledgers.map((each) => each.command(id, 'check-out', {}, command)));
  expect(new Set(both.map(({ body }) => body.position)).size).toBe(1);
  expect((await a.history(id)).filter(({ type }) => type === 'WorkspaceCheckedOut')).toHaveLength(7);
  const position = both[0]?.body.position ?? 0;
  const [atA, atB] = [await a.show(id, position), await b.show(id, position)];
  expect({ ...atA, reference: undefined }).toEqual({ ...atB, reference: undefined });
});

it('is not disturbed by what others keep there, and its positions count nothing', async () => {
  const { folder, store } = await storeInUse();
  const stranger = await openStore(store.connection, context);
  onTestFinished(() => stranger.close());
  const client = EventStoreDBClient.connectionString(store.connection);
  onTestFinished(() => client.dispose());
  const api = await ledger(folder, 'a', store);
  const ids: string[] = [];
  for (let n = 0; n < 5; n += 1) {
    await stranger.append('invoice-1', n === 0 ? 'no-stream' : n - 1, [bytes(Buffer.from([0xff, 0, n]))]);
    await client.setStreamMetadata('invoice-1', { maxCount: 2 + n });
    await client.appendToStream('workspaces', jsonEvent({ type: 'WorkspaceCreated', data: { n } }));
    ids.push(await api.create(`name: mine-${n}\n`));
  }
  const last = ids.at(-1) ?? '';
  const { body } = await api.command(last, 'check-out');
  expect(body.position).toBeGreaterThan(15);
  expect((await api.show(last, body.position)).lock).toMatchObject({ kind: 'held' });
  const { body: list } = await api.get<{ items: { workspaceId: string }[] }>('/v1/workspaces');
  expect(list.items.map(({ workspaceId }) => workspaceId).toSorted()).toEqual(ids.toSorted());
  expect((await api.history(last)).map(({ revision }) => revision)).toEqual([0, 1]);
});

async function storeInUse(): Promise<{ folder: string; store: StoreProcess }> {
  const folder = await temporaryFolder('shared-store');
  const store = await StoreProcess.start(join(folder, 'store'));
  onTestFinished(() => store.kill());
  return { folder, store };
}

async function ledger(folder: string, name: string, store: StoreProcess): Promise<Api> {
  const environment = { VW_HYPERVISOR: 'simulated', VW_HOST_ID: `host-${name}`, VW_STORE: store.connection };
  const service = await startService(join(folder, name), environment);
  onTestFinished(() => service.kill());
  return service.api;
}

function bytes(data: Uint8Array): NewEvent {
  return { id: randomUUID(), type: 'Scanned', contentType: 'binary', data, metadata: new Uint8Array() };
}
