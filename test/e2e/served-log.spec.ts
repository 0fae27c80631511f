/** A ledger that serves its own log (VW_STORE_LISTEN): others read and follow it with EventStoreDB's client, and the ledger alone writes its own streams. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { EventStoreDBClient, jsonEvent, streamNameFilter } from '@eventstore/db-client';
import type { EventView } from '@vw/contracts';
import { expect, it, onTestFinished } from 'vitest';
import { issueCertificates } from '../contracts/eventstoredb/certificates.js';
import { type RunningService, startService } from '../support/service-process.js';
import { temporaryFolder } from '../support/temporary.js';

it('shows its events as they are recorded, and takes none into its own streams', async () => {
  const { service, connection } = await serving({});
  const client = connectedTo(connection);
  const { api } = service;
  const id = await api.create();
  const following = client.subscribeToAll({ filter: streamNameFilter({ prefixes: ['workspace-'] }) });
  onTestFinished(() => following.unsubscribe().catch(() => undefined));
  await api.done(id, 'check-out');
  const seen: string[] = [];
  for await (const { event } of following) {
    seen.push(`${event?.streamId} ${event?.revision} ${event?.type} ${event?.id}`);
    if (seen.length === 2) break;
  }
  const line = ({ stream, revision, type, eventId }: EventView) => `${stream} ${revision} ${type} ${eventId}`;
  expect(seen).toEqual((await api.history(id)).map(line));

  for (const stream of [`workspace-${id}`, 'host-local', 'image-x', 'pool-x']) {
    const writing = client.appendToStream(stream, jsonEvent({ type: 'WorkspaceRetired', data: {} }));
    await expect(writing, stream).rejects.toMatchObject({ type: 'access-denied' });
  }
  expect(await api.history(id)).toHaveLength(2);
  await client.appendToStream('notes', jsonEvent({ type: 'Noted', data: { of: id } }));
  await api.done(id, 'check-in');
});

it('shows them over TLS to its users only, where it has users', async () => {
  const { authority, certificate, key } = await issueCertificates(await temporaryFolder('certificates'));
  const { service, connection } = await serving({
    VW_STORE_TLS_CERT: certificate,
    VW_STORE_TLS_KEY: key,
    VW_STORE_USERS: 'root:s3cret,ann:h.nter2',
  });
  const stream = `workspace-${await service.api.create()}`;
  const read = async (credentials: string) => {
    const client = connectedTo(`${connection.replace('esdb://', `esdb://${credentials}`)}&tlsCaFile=${authority}`);
    const types: (string | undefined)[] = [];
    for await (const { event } of client.readStream(stream)) types.push(event?.type);
    return types;
  };
  expect([await read('root:s3cret@'), await read('ann:h.nter2@')]).toEqual([
    ['WorkspaceCreated'],
    ['WorkspaceCreated'],
  ]);
  await expect(read('ann:guessed@')).rejects.toThrow('UNAUTHENTICATED');
  await expect(read('')).rejects.toThrow('PERMISSION_DENIED');
  expect(service.output()).not.toMatch(/s3cret|h\.nter2/);
});

it('says in one sentence why it cannot be served', async () => {
  const { connection } = await serving({});
  const { port } = new URL(connection);
  const file = join(await temporaryFolder('served'), 'no.pem');
  await writeFile(file, 'no certificate');
  const tls = { VW_STORE_TLS_CERT: file, VW_STORE_TLS_KEY: file };
  await expect(serving({ VW_STORE_LISTEN: `127.0.0.1:${port}` })).rejects.toThrow(
    `the log cannot be served at 127.0.0.1:${port}: another program listens there; VW_STORE_LISTEN names another port`,
  );
  await expect(serving(tls)).rejects.toThrow('are not a certificate and its key in PEM');
});

async function serving(environment: Record<string, string>): Promise<{ service: RunningService; connection: string }> {
  const service = await startService(await temporaryFolder('served'), {
    VW_HYPERVISOR: 'simulated',
    VW_STORE_LISTEN: '127.0.0.1:0',
    VW_LOG_LEVEL: 'debug',
    ...environment,
  });
  onTestFinished(() => service.kill());
  return { service, connection: /the log is served at (\S+)/.exec(service.output())?.[1] ?? '' };
}

function connectedTo(connection: string): EventStoreDBClient {
  const client = EventStoreDBClient.connectionString(connection);
  onTestFinished(() => client.dispose());
  return client;
}
