/** How the KurrentDB adapter gets in, and what it says when it does not: TLS, credentials, discovery, and servers that are none. */
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import type { EventStore, Facade, FacadeOptions } from '@vw/event-store';
import { openEmbeddedStore, openKurrentStore, openStore, serveFacade, START, StoreUnavailable } from '@vw/event-store';
import { silentLogger, systemClock, systemIds, systemRandom, systemTimers } from '@vw/runtime';
import { describe, expect, it, onTestFinished } from 'vitest';
import { temporaryFolder } from '../../support/temporary.js';
import { issueCertificates } from '../eventstoredb/certificates.js';
import { collect, events } from './events.js';

const ports = { clock: systemClock, timers: systemTimers, ids: systemIds, random: systemRandom, logger: silentLogger };

async function serve(options: Pick<FacadeOptions, 'tls' | 'users'>): Promise<Facade> {
  const log = await openEmbeddedStore({
    file: join(await temporaryFolder('facade'), 'log.sqlite'),
    clock: systemClock,
  });
  const facade = await serveFacade({ log, host: '127.0.0.1', port: 0, reserved: [], ...ports, ...options });
  onTestFinished(async () => {
    await facade.close();
    await log.close();
  });
  return facade;
}

async function open(location: string): Promise<EventStore> {
  const store = await openKurrentStore({ location, ...ports, patienceMs: 1000 });
  onTestFinished(() => store.close());
  return store;
}

async function refusal(location: string): Promise<Error> {
  const outcome = await open(location).catch((error: unknown) => error);
  expect(outcome).toBeInstanceOf(StoreUnavailable);
  expect(JSON.stringify(outcome, Object.getOwnPropertyNames(outcome))).not.toContain('s3cret');
  return outcome as Error;
}

describe('a server with TLS and users', () => {
  const secured = async () => {
    const certificates = await issueCertificates(await temporaryFolder('certificates'));
    const users = [
      { name: 'admin', password: 's3cret' },
      { name: 'ledger', password: 's3cret: of the ledger@work' },
    ];
    const [certificate, key] = await Promise.all([readFile(certificates.certificate), readFile(certificates.key)]);
    const { port } = await serve({ tls: { certificate, key }, users });
    return { port, authority: `tlsCAFile=${encodeURIComponent(certificates.authority)}` };
  };

  it('lets in who trusts its certificate and has a name', async () => {
    const { port, authority } = await secured();
    const store = await open(`esdb://admin:s3cret@localhost:${port}?${authority}`);
    const made = events(3);
    await store.append('w-1', 'no-stream', made);
    expect((await collect(store.readAll(START))).map(({ id }) => id)).toEqual(made.map(({ id }) => id));
  });

  it('is understood by who has another name or password, or none', async () => {
    const { port, authority } = await secured();
    for (const credentials of ['admin:s3cret2@', 'nobody:s3cret@']) {
      expect((await refusal(`esdb://${credentials}localhost:${port}?${authority}`)).message).toContain(
        'does not know this name and password',
      );
    }
    expect((await refusal(`esdb://localhost:${port}?${authority}`)).message).toMatch(/denies access|name and password/);
  });

  it('is not trusted without its authority, at once and with advice', async () => {
    const { port } = await secured();
    const { message } = await refusal(`esdb://admin:s3cret@localhost:${port}`);
    expect(message).toContain('tlsCAFile=FILE');
    expect(message).not.toContain('tried for');
  });

  it('is not reached without TLS', async () => {
    const { port } = await secured();
    expect((await refusal(`esdb://admin:s3cret@localhost:${port}?tls=false`)).message).toContain('is not available');
  });
});

describe('a server without TLS', () => {
  it('is told from one with TLS', async () => {
    const { port } = await serve({ users: [] });
    expect((await refusal(`esdb://localhost:${port}`)).message).toContain('tls=false');
  });

  it('is found by asking several hosts who leads, one of them away', async () => {
    const { port } = await serve({ users: [] });
    const store = await open(`esdb://127.0.0.1:1,127.0.0.1:${port}?tls=false`);
    expect((await store.append('w-1', 'no-stream', events(1))).revision).toBe(0);
    const discovered = await open(`esdb+discover://localhost:${port}?tls=false`);
    expect(await collect(discovered.readStream('w-1'))).toHaveLength(1);
  });
});

describe('what is no server', () => {
  it('is said to be away, after a while', async () => {
    expect((await refusal('esdb://admin:s3cret@127.0.0.1:1?tls=false')).message).toBe(
      'KurrentDB is not available (connect ECONNREFUSED 127.0.0.1:1); tried for 1 s',
    );
    expect((await refusal('esdb://127.0.0.1:1,127.0.0.1:2?tls=false&maxDiscoverAttempts=2')).message).toContain(
      'no node of the KurrentDB cluster',
    );
  });

  it('is said to be something else when it speaks HTTP only', async () => {
    const server = createServer((_, response) => response.writeHead(404).end('nothing here')).listen(0, '127.0.0.1');
    await once(server, 'listening');
    onTestFinished(() => void server.close());
    expect((await refusal(`esdb://127.0.0.1:${(server.address() as AddressInfo).port}?tls=false`)).message).toContain(
      'KurrentDB',
    );
  });

  it('is a mistake where the location can be no store, or names a file that is not there', async () => {
    for (const location of ['http://db', 'esdb://admin:s3cret', 'esdb://db?tlsCAFile=/nowhere.pem']) {
      const mistake = await openStore(location, ports).catch((error: unknown) => error);
      expect(mistake).toBeInstanceOf(RangeError);
      expect(String(mistake)).not.toContain('s3cret');
    }
  });

  it('is a file where the location has no scheme', async () => {
    const file = join(await temporaryFolder('store'), 'log.sqlite');
    const store = await openStore(file, ports);
    await store.append('w-1', 'no-stream', events(1));
    await store.close();
    const again = await openStore(file, ports);
    expect(await collect(again.readAll(START))).toHaveLength(1);
    await again.close();
  });
});
