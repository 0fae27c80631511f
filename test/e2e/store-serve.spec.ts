/** `vw store serve` as a process of its own, as users of EventStoreDB's official client meet it. */
import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { readdir, stat, writeFile } from 'node:fs/promises';
import { type AddressInfo, createServer } from 'node:net';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { EventStoreDBClient, jsonEvent, START } from '@eventstore/db-client';
import { canonicalDigest, openViews, rebuildViews } from '@vw/projections';
import Database from 'better-sqlite3';
import { describe, expect, it } from 'vitest';
import { LogInMemory } from '../contracts/projections/log-in-memory.js';
import { seeded, Site } from '../contracts/projections/lifecycles.js';
import { fillStore } from '../support/real-log.js';
import { serveStore, startVwStore, vwStore } from '../support/store-command.js';
import { temporaryFolder } from '../support/temporary.js';

const execute = promisify(execFile);

async function certificateIn(folder: string): Promise<{ cert: string; key: string }> {
  const [cert, key] = [join(folder, 'cert.pem'), join(folder, 'key.pem')];
  const subject = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost,IP:127.0.0.1'];
  await execute('openssl', [
    'req',
    '-x509',
    '-newkey',
    'rsa:2048',
    '-nodes',
    '-days',
    '1',
    ...subject,
    '-keyout',
    key,
    '-out',
    cert,
  ]);
  return { cert, key };
}

/** Appends one event, reads the stream, and lets go. */
async function appendAndRead(connection: string, stream: string): Promise<unknown[]> {
  const client = EventStoreDBClient.connectionString(connection);
  try {
    await client.appendToStream(stream, jsonEvent({ type: 'Seen', data: { by: 'a client' } }));
    const found: unknown[] = [];
    for await (const { event } of client.readStream(stream)) found.push(event?.data);
    return found;
  } finally {
    await client.dispose();
  }
}

describe('vw store serve', () => {
  it('starts empty on a folder that is not there, says one line, keeps what it took, and ends with 0', async () => {
    const data = join(await temporaryFolder('serve'), 'deep', 'down');
    const first = await serveStore(data);
    const address = (port: number): string => `esdb://127.0.0.1:${port}?tls=false`;
    const client = EventStoreDBClient.connectionString(address(first.port));
    const all: unknown[] = [];
    for await (const { event } of client.readAll({ fromPosition: START })) all.push(event);
    expect(all).toEqual([]);
    await client.dispose();
    // A plain store takes the ledger's categories too: there is no ledger in it.
    expect(await appendAndRead(address(first.port), 'workspace-1')).toEqual([{ by: 'a client' }]);
    expect(await first.stop()).toEqual({ code: 0, out: `LISTENING ${first.port}\n`, err: '' });
    expect((await readdir(data)).sort()).toEqual(['log.sqlite', 'log.sqlite.lock']);
    const second = await serveStore(data);
    expect(await appendAndRead(address(second.port), 'workspace-1')).toHaveLength(2);
    expect(await second.stop()).toMatchObject({ code: 0 });
  });

  it('ends with 0 while somebody follows, on SIGINT too', async () => {
    const served = await serveStore(await temporaryFolder('serve'));
    const client = EventStoreDBClient.connectionString(`esdb://127.0.0.1:${served.port}?tls=false`);
    const following = client.subscribeToAll();
    const ended = once(following, 'error').catch(() => undefined);
    await once(following, 'confirmation');
    served.child.kill('SIGINT');
    expect(await served.ended).toMatchObject({ code: 0, err: '' });
    await ended;
    await client.dispose();
  });

  it('speaks TLS, and lets in whom it was told of', async () => {
    const folder = await temporaryFolder('serve');
    const { cert, key } = await certificateIn(folder);
    const served = await serveStore(folder, ['--tls-cert', cert, '--tls-key', key], {
      VW_STORE_USERS: 'ada:first:with colon,bob:second',
    });
    try {
      const address = (user: string): string => `esdb://${user}@localhost:${served.port}?tls=true&tlsCAFile=${cert}`;
      expect(await appendAndRead(address('ada:first%3Awith%20colon'), 's')).toHaveLength(1);
      expect(await appendAndRead(address('bob:second'), 's')).toHaveLength(2);
      await expect(appendAndRead(address('bob:wrong'), 's')).rejects.toThrow();
    } finally {
      expect(await served.stop()).toMatchObject({ code: 0 });
    }
  });

  it('says in one sentence what keeps it from serving', async () => {
    const data = await temporaryFolder('serve');
    const taken = createServer().listen(0, '127.0.0.1');
    await once(taken, 'listening');
    const { port } = taken.address() as AddressInfo;
    const { cert, key } = await certificateIn(data);
    const other = await certificateIn(await temporaryFolder('serve'));
    await writeFile(join(data, 'no.pem'), 'no certificate');
    const wrong: readonly (readonly [code: number, says: RegExp, argv: readonly string[]])[] = [
      [3, /127\.0\.0\.1:\d+ cannot be listened at: somebody listens there already/, ['--listen', `127.0.0.1:${port}`]],
      [2, /0\.0\.0\.0 can be reached from outside/, ['--listen', '0.0.0.0:0']],
      [2, /served only with a user/, ['--listen', '0.0.0.0:0', '--tls-cert', cert, '--tls-key', key]],
      [2, /--tls-cert and --tls-key go together/, ['--listen', '127.0.0.1:0', '--tls-cert', cert]],
      [
        4,
        /nowhere\.pem: there is no such file/,
        ['--listen', '127.0.0.1:0', '--tls-cert', join(data, 'nowhere.pem'), '--tls-key', key],
      ],
      [
        3,
        /no\.pem is no certificate/,
        ['--listen', '127.0.0.1:0', '--tls-cert', join(data, 'no.pem'), '--tls-key', key],
      ],
      [
        3,
        /no\.pem is no private key/,
        ['--listen', '127.0.0.1:0', '--tls-cert', cert, '--tls-key', join(data, 'no.pem')],
      ],
      [3, /is not the key of the certificate/, ['--listen', '127.0.0.1:0', '--tls-cert', cert, '--tls-key', other.key]],
      [2, /HOST:PORT/, ['--listen', 'somewhere']],
      [2, /HOST:PORT/, ['--listen', '127.0.0.1:99999']],
      [2, /NAME:PASSWORD/, ['--listen', '127.0.0.1:0', '--user', 'nobody']],
      [2, /the user ann is named twice/, ['--listen', '127.0.0.1:0', '--user', 'ann:one', '--user', 'ann:other']],
      [2, /required option '--listen/, []],
    ];
    for (const [code, says, argv] of wrong) {
      const told = await vwStore('serve', '--data', data, ...argv);
      expect(told).toMatchObject({ code, out: '', err: expect.stringMatching(says) as string });
      expect(told.err.trimEnd()).not.toContain('\n');
    }
    taken.close();
  });

  it('leaves a store alone that another process has', async () => {
    const data = await temporaryFolder('serve');
    const served = await serveStore(data);
    const refused = await startVwStore(['serve', '--listen', '127.0.0.1:0'], { env: { VW_DATA: data } }).ended;
    expect(refused).toMatchObject({
      code: 3,
      err: expect.stringMatching(/^refused: .* in use by another process: stop the service first\n$/) as string,
    });
    expect(await served.stop()).toMatchObject({ code: 0 });
  });
});

describe('vw store info', () => {
  it('tells what is there, while it is served, and of a server what can be known', async () => {
    const data = await temporaryFolder('info');
    const site = new Site({ choose: seeded(5), workspaces: 10, oddity: 5 });
    while (site.log.length < 200) site.step();
    await fillStore(join(data, 'log.sqlite'), site.log);
    const served = await serveStore(data);
    const told = JSON.parse((await vwStore('info', data, '--json')).out) as object;
    const last = site.log.at(-1)!;
    expect(told).toMatchObject({
      ...{ kind: 'file', events: site.log.length, head: site.log.length, format: 2, plausible: true },
      streams: new Set(site.log.map(({ stream }) => stream)).size,
      bytes: (await stat(join(data, 'log.sqlite'))).size,
      lastCreated: new Date(last.created).toISOString(),
    });
    const server = `esdb://127.0.0.1:${served.port}?tls=false`;
    expect(JSON.parse((await vwStore('info', server, '--json')).out)).toEqual({
      store: server,
      kind: 'server',
      head: site.log.length,
    });
    await served.stop();
    expect(await vwStore('info', server)).toMatchObject({
      code: 5,
      err: expect.stringMatching(/^unreachable: [^\n]*\n$/) as string,
    });
    expect((await vwStore('info', data)).out).toMatch(/^events +\d+$/m);
  });

  it('sees at a glance that events are missing', async () => {
    const data = await temporaryFolder('info');
    const site = new Site({ choose: seeded(5), workspaces: 10, oddity: 5 });
    while (site.log.length < 50) site.step();
    await fillStore(join(data, 'log.sqlite'), site.log);
    const db = new Database(join(data, 'log.sqlite'));
    db.exec('DELETE FROM events WHERE position = 20');
    db.close();
    expect((await vwStore('info', data)).out).toMatch(/^integrity +DAMAGED: run vw store verify$/m);
  });
});

describe('vw store compact', () => {
  it('shrinks what is disposable and leaves the log as it is', async () => {
    const data = await temporaryFolder('compact');
    const log = join(data, 'log.sqlite');
    await fillStore(log, new Site({ choose: seeded(5), workspaces: 1, oddity: 0 }).log);
    const bus = join(data, 'bus.sqlite');
    const db = new Database(bus);
    db.pragma('journal_mode = WAL');
    db.exec('CREATE TABLE message (payload TEXT)');
    const insert = db.prepare('INSERT INTO message VALUES (?)');
    db.transaction(() => {
      for (let n = 0; n < 2000; n += 1) insert.run('x'.repeat(500));
    })();
    db.exec('DELETE FROM message WHERE rowid > 10');
    const inUse = await vwStore('compact', '--data', data);
    expect(inUse).toMatchObject({
      code: 3,
      err: expect.stringMatching(/bus\.sqlite is in use: stop the service first\n$/) as string,
    });
    db.close();
    const { mtimeMs } = await stat(log);
    const done = JSON.parse((await vwStore('compact', '--data', data, '--json')).out) as {
      bus: { bytesBefore: number; bytesAfter: number };
    };
    expect(done).toMatchObject({ views: null });
    expect(done.bus.bytesBefore).toBeGreaterThan(1_000_000);
    expect(done.bus.bytesAfter).toBe((await stat(bus)).size);
    expect(done.bus.bytesAfter).toBeLessThan(50_000);
    expect((await stat(log)).mtimeMs).toBe(mtimeMs);
    expect(await vwStore('compact', '--data', join(data, 'nowhere'))).toMatchObject({ code: 4 });
  });
});

describe('the views', () => {
  it('stay what they are when they are compacted, and are left alone while somebody has them', async () => {
    const data = await temporaryFolder('compact');
    const site = new Site({ choose: seeded(5), workspaces: 10, oddity: 5 });
    while (site.log.length < 2000) site.step();
    const file = join(data, 'views.sqlite');
    await rebuildViews({ file, store: new LogInMemory(site.log) });
    const digest = canonicalDigest(file);
    // What a table leaves behind that was there for a while.
    const db = new Database(file);
    db.exec('CREATE TABLE passing (filler TEXT)');
    db.prepare('INSERT INTO passing VALUES (?)').run('x'.repeat(3_000_000));
    db.exec('DROP TABLE passing');
    db.close();
    const views = await openViews({ file, store: new LogInMemory(site.log) });
    expect(await vwStore('compact', '--data', data)).toMatchObject({
      code: 3,
      err: expect.stringMatching(/in use/) as string,
    });
    views.close();
    const { out } = await vwStore('compact', '--data', data, '--json');
    const done = JSON.parse(out) as { views: { bytesBefore: number; bytesAfter: number } };
    expect(done.views.bytesBefore - done.views.bytesAfter).toBeGreaterThan(2_900_000);
    expect(done.views.bytesAfter).toBe((await stat(file)).size);
    expect(canonicalDigest(file)).toBe(digest);
  });
});

describe('vw', () => {
  it('hands over everything that begins with store, and tells of it', async () => {
    const vw = (...argv: string[]) => execute(process.execPath, ['bin/vw.mjs', ...argv]);
    expect((await vw('store', '--help')).stdout).toMatch(/^Usage: vw store /);
    expect((await vw('--help')).stdout).toContain('vw store --help');
    await expect(vw('store', 'frobnicate')).rejects.toMatchObject({
      code: 2,
      stderr: expect.stringMatching(/^usage: [^\n]*\n$/) as string,
    });
  });
});
