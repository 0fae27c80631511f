/** A disk is full, read-only, unwritable or holds what nobody wrote: nothing is recorded or all is, reads go on, and one sentence says what is wrong. */
import { randomBytes } from 'node:crypto';
import { appendFile, chmod, mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { buildHeartbeatGuest } from '@vw/hypervisors';
import Database from 'better-sqlite3';
import { describe, expect, it, onTestFinished } from 'vitest';
import { type Api, until } from '../support/api.js';
import { type RunningService, ServiceDidNotStart, startService } from '../support/service-process.js';
import { breakableDisk, canBreakDisks, requireMount, smallDisk } from '../support/small-disk.js';
import { temporaryFolder } from '../support/temporary.js';

const v86 = { VW_HYPERVISOR: 'v86' };
const simulated = { VW_HYPERVISOR: 'simulated' };
const raw = { type: 'application/octet-stream' };
const mounts = await requireMount();
const breaks = mounts && (await canBreakDisks());

describe.runIf(mounts)('a full disk', () => {
  it('refuses commands, recording nothing, keeps reads and guests going, and takes commands again once there is room', async () => {
    const disk = await smallDisk(24);
    const service = await started(join(disk.folder, 'data'), v86);
    const { api } = service;
    const id = await running(api);
    const before = await api.history(id);

    await disk.fill();
    const pause = await api.command(id, 'pause', {}, { commandId: 'pause-on-a-full-disk' });
    const create = await api.post('/v1/workspaces', 'name: x\n');
    for (const { status, body } of [pause, create]) {
      expect(body).toMatchObject({ status: 503, reason: 'STORE_UNAVAILABLE' });
      expect(body.detail).toMatch(/^Nothing was recorded: .*log\.sqlite cannot be written: database or disk is full$/);
      expect(status).toBe(503);
    }
    expect((await api.get('/healthz')).status).toBe(200);
    expect(await api.history(id)).toEqual(before);
    expect((await api.show(id)).power).toEqual({ kind: 'running' });

    await disk.free();
    expect((await api.command(id, 'pause', {}, { commandId: 'pause-on-a-full-disk' })).body.outcome).toBe('accepted');
    await until(20_000, 'the pause', async () => ((await api.show(id)).power.kind === 'paused' ? true : undefined));
    await api.done(id, 'unpause');
    await api.beatBeyond(id, (await api.beats(id)).at(-1) ?? 0);
    expect(await service.stop()).toBe(0);
  });

  it('that takes the log’s last page and not the views’ makes the views late, and they catch up', async () => {
    const disk = await smallDisk(24);
    const service = await started(join(disk.folder, 'data'), simulated);
    const { api } = service;
    const first = await api.create();
    // Somewhere among these lies the append that still fits while its views do not.
    for (const room of [48, 64, 96, 128]) {
      await disk.fill(room * 1024);
      while ((await api.post('/v1/workspaces', 'name: x\n')).status === 201);
      await disk.free();
      const last = await api.create();
      await until(20_000, 'the views', async () => ((await api.show(last)).workspaceId === last ? true : undefined));
    }
    expect(service.output()).toContain('the views stay behind the log');
    expect((await api.show(first)).name).toBe('heartbeat');
    expect(await service.stop()).toBe(0);
  });

  it('refuses an image that does not fit, and leaves nothing of it', async () => {
    const disk = await smallDisk(24);
    const data = join(disk.folder, 'data');
    const { api } = await started(data, simulated);
    await disk.fill(1 << 20);
    const { status, body } = await api.post('/v1/images?name=big&kind=disk', Buffer.alloc(4 << 20, 1), raw);
    expect({ status, reason: body.reason }).toEqual({ status: 503, reason: 'STORE_UNAVAILABLE' });
    expect(body.detail).toContain('no space left on device');
    expect(await readdir(join(data, 'uploads'))).toEqual([]);
    expect(await readdir(join(data, 'images/incoming'))).toEqual([]);
    // On the connection that carried the image, and on any other.
    for (let n = 0; n < 4; n += 1) expect((await api.get('/healthz')).status).toBe(200);
    await disk.free();
    expect((await api.post('/v1/images?name=big&kind=disk', Buffer.alloc(4 << 20, 1), raw)).status).toBe(201);
  });

  it('fails a deployment with class host, clears its folder, and a serialisation, whose guest stays paused', async () => {
    const disk = await smallDisk(28);
    const data = join(disk.folder, 'data');
    const { api } = await started(data, v86);
    const kernel = Buffer.concat([buildHeartbeatGuest(), randomBytes(4 << 20)]);
    expect((await api.post('/v1/images?name=large&kind=kernel', kernel, raw)).status).toBe(201);
    const id = (await api.post('/v1/workspaces?image=large', 'name: large\n')).body.workspaceId;

    await disk.fill(1 << 20);
    expect(await outcome(api, id, 'deploy')).toMatchObject({ outcome: 'DeployFailed', failure: { class: 'host' } });
    expect((await api.history(id)).at(-1)?.data).toMatchObject({
      guest: 'absent',
      reason: expect.stringContaining('no space left on device') as string,
    });
    expect(await api.show(id)).toMatchObject({ placement: { kind: 'none' }, integrity: { kind: 'ok' } });
    expect(await readdir(join(data, 'hosts/local/workspaces'))).toEqual([]);
    await disk.free();

    await api.done(id, 'deploy');
    await api.done(id, 'start');
    await api.beatBeyond(id, 1);
    await api.done(id, 'pause');
    await disk.fill(1 << 20);
    expect(await outcome(api, id, 'serialise')).toMatchObject({
      outcome: 'SerialiseFailed',
      failure: { class: 'host', reason: expect.stringContaining('no space left on device') as string },
    });
    expect(await api.show(id)).toMatchObject({ power: { kind: 'paused' }, integrity: { kind: 'ok' } });
    const files = await readdir(join(data, 'hosts/local/workspaces', id));
    expect(files.toSorted()).toEqual(['boot.img', 'deployment.json', 'serial.log', 'vmm-v86.json']);
    await api.done(id, 'unpause');
    await disk.free();
    await api.done(id, 'pause');
    expect(await outcome(api, id, 'serialise')).toMatchObject({ outcome: 'HotImageCaptured' });
  });

  it('keeps what a host has done from being told, and no longer: the outcome comes once there is room', async () => {
    const disk = await smallDisk(24);
    const { api } = await started(join(disk.folder, 'data'), v86);
    const id = await running(api);
    const { body } = await api.command(id, 'stop', { mode: 'hard' });
    await disk.fill();
    await disk.free();
    await api.ended(id, body.requestId ?? '', body.position);
    expect((await api.history(id)).filter(({ type }) => type === 'WorkspaceStopped')).toHaveLength(1);
  });

  it('keeps the service from starting, and says so', async () => {
    const disk = await smallDisk(1);
    await disk.fill();
    await refusesToStart(join(disk.folder, 'data'), /data.* (the disk is full|database or disk is full|no space left)/);
  });
});

describe.runIf(mounts)('a read-only disk', () => {
  it('keeps the service from starting, and says so', async () => {
    const disk = await smallDisk(1);
    await disk.turnReadOnly();
    const sentence = /the data folder .* cannot be used: it is on a read-only disk/;
    await refusesToStart(disk.folder, sentence);
    await refusesToStart(join(disk.folder, 'data'), sentence);
  });
});

describe.runIf(breaks)('a disk that becomes read-only', () => {
  it('refuses commands while reads go on, and a start on it says so in a sentence', async () => {
    const disk = await breakableDisk();
    const data = join(disk.folder, 'data');
    const service = await started(data, simulated);
    const { api } = service;
    const id = await api.create();
    const before = await api.show(id);
    await disk.turnReadOnly();
    const { status, body } = await api.command(id, 'check-out');
    expect({ status, reason: body.reason }).toEqual({ status: 503, reason: 'STORE_UNAVAILABLE' });
    expect(body.detail).toMatch(/log\.sqlite cannot be written/);
    const image = await api.post('/v1/images?name=i&kind=disk', Buffer.alloc(1000), raw);
    expect({ status: image.status, reason: image.body.reason }).toEqual({ status: 503, reason: 'STORE_UNAVAILABLE' });
    expect(await api.show(id)).toEqual(before);
    expect(await api.history(id)).toHaveLength(1);
    expect((await api.get('/healthz')).status).toBe(200);
    await service.stop();
    await refusesToStart(data, /data.* (read-only disk|disk I\/O error|readonly database)/);
  });
});

describe('a data folder', () => {
  it('in a place that is not there yet is made, with all above it', async () => {
    const data = join(await temporaryFolder('disk'), 'no/such/parent');
    expect((await (await started(data, simulated)).api.get('/readyz')).status).toBe(200);
  });

  it('whose place a file has is refused', async () => {
    const folder = await temporaryFolder('disk');
    await writeFile(join(folder, 'file'), 'a file');
    await refusesToStart(join(folder, 'file'), /the data folder .*file cannot be used: a file is in its place/);
    await refusesToStart(join(folder, 'file/data'), /the data folder .* cannot be used: a file is in its place/);
  });

  const root = process.getuid?.() === 0;
  it.skipIf(root)('that this user may not write to is refused', async () => {
    const data = await temporaryFolder('disk');
    await chmod(data, 0o555);
    await refusesToStart(data, /the data folder .* cannot be used: this user may not write there/);
  });

  it('that a running service has is refused to another, and so is its port, each in one sentence', async () => {
    const data = await temporaryFolder('disk');
    const { api } = await started(data, simulated);
    await refusesToStart(data, /in use: another instance runs on this data/);
    const port = new URL(api.url).port;
    await refusesToStart(await temporaryFolder('disk'), new RegExp(`${port}.*(taken|in use)`, 'i'), {
      VW_HTTP_PORT: port,
    });
    await api.create();
  });
});

describe('a damaged file', () => {
  it('of the log is told with stream and revision when its event is needed, and every other stream is served', async () => {
    const { data, ids } = await used();
    const [damaged = '', whole = ''] = ids;
    damageEvent(data, `workspace-${damaged}`, 0);
    const { api } = await started(data, simulated);
    const sentence = `event 0 of stream workspace-${damaged} does not match the checksum it was stored with`;
    for (const { status, body } of [
      await api.command(damaged, 'check-out'),
      await api.post(`/v1/workspaces/${damaged}/deploy`),
    ]) {
      expect({ status, reason: body.reason }).toEqual({ status: 500, reason: 'LOG_DAMAGED' });
      expect(body.detail).toContain(sentence);
    }
    await api.done(whole, 'check-out');
  });

  it('of the log is told in a sentence when the views are to be made of it', async () => {
    const { data, ids } = await used();
    damageEvent(data, `workspace-${ids[0]}`, 0);
    await rm(join(data, 'views.sqlite'));
    await refusesToStart(data, new RegExp(`event 0 of stream workspace-${ids[0]} does not match the checksum`));
  });

  it('in the log’s place that is no log is refused, and left as it is', async () => {
    const data = await temporaryFolder('disk');
    await writeFile(join(data, 'log.sqlite'), 'nobody’s log, and certainly not an event store');
    await refusesToStart(data, /log\.sqlite cannot be opened: it is not an event store/);
    expect(await readFile(join(data, 'log.sqlite'), 'utf8')).toContain('nobody’s log');
  });

  it('of the views or of the bus costs nothing: the one is made again, the other is set aside', async () => {
    const { data, ids } = await used();
    await writeFile(join(data, 'views.sqlite'), randomBytes(20_000));
    await writeFile(join(data, 'bus.sqlite'), randomBytes(20_000));
    const { api } = await started(data, simulated);
    expect((await api.get<{ items: { workspaceId: string }[] }>('/v1/workspaces')).body.items).toHaveLength(ids.length);
    await api.done(ids[0] ?? '', 'deploy');
    expect(await readdir(data)).toContain('bus.sqlite.damaged');
  });

  it('of the journal is mended where its last line is torn, and refused where a whole line is another', async () => {
    const { data, ids } = await used();
    const journal = join(data, 'hosts/local/journal.jsonl');
    await appendFile(journal, '{"crc":"00000000","record":{"type":"ta');
    const service = await started(data, simulated);
    await service.api.done(ids[0] ?? '', 'deploy');
    await service.stop();

    const lines = (await readFile(journal, 'utf8')).split('\n');
    expect(lines.length).toBeGreaterThan(1);
    await writeFile(journal, [lines[0]?.replace(/"type":"./, '"type":"?'), ...lines.slice(1)].join('\n'));
    await refusesToStart(data, /line 1 of the journal .*journal\.jsonl does not bear its checksum/);
  });
});

async function started(data: string, environment: Record<string, string>): Promise<RunningService> {
  const service = await startService(data, environment);
  onTestFinished(() => service.kill());
  return service;
}

/** Expects exit code 1 and one sentence, without a stack. */
async function refusesToStart(data: string, sentence: RegExp, environment: Record<string, string> = {}): Promise<void> {
  const failure = await startService(data, { ...simulated, ...environment }).then(
    async (service) => service.kill().then(() => new Error(`it started: ${service.output()}`)),
    (error: unknown) => error as Error,
  );
  expect(failure).toBeInstanceOf(ServiceDidNotStart);
  const { exitCode, output } = failure as ServiceDidNotStart;
  const said = output.split('\n').filter((line) => line !== '' && !line.endsWith('…') && !line.startsWith('{'));
  expect({ exitCode, said }).toEqual({ exitCode: 1, said: [expect.stringMatching(sentence) as string] });
}

/** A data folder of a service that has stopped, with workspaces in it. */
async function used(): Promise<{ readonly data: string; readonly ids: readonly string[] }> {
  const data = await temporaryFolder('disk');
  await mkdir(data, { recursive: true });
  const service = await started(data, simulated);
  const ids = [await service.api.create(), await service.api.create()];
  await service.api.done(ids[1] ?? '', 'deploy');
  expect(await service.stop()).toBe(0);
  return { data, ids };
}

/** Turns over one byte of an event's data, as a failing disk does: the checksum beside it stays. */
function damageEvent(data: string, stream: string, revision: number): void {
  const log = new Database(join(data, 'log.sqlite'));
  const where = 'WHERE stream = (SELECT id FROM streams WHERE name = ?) AND revision = ?';
  const event = log
    .prepare<[string, number], { data: Buffer }>(`SELECT data FROM events ${where}`)
    .get(stream, revision);
  if (event === undefined) throw new Error(`there is no event ${revision} in ${stream}`);
  event.data[10]! ^= 0xff;
  log.prepare(`UPDATE events SET data = ? ${where}`).run(event.data, stream, revision);
  log.close();
}

async function running(api: Api): Promise<string> {
  const id = await api.create();
  await api.done(id, 'deploy');
  await api.done(id, 'start');
  await api.beatBeyond(id, 1);
  return id;
}

async function outcome(api: Api, id: string, verb: string) {
  const { body } = await api.command(id, verb);
  return api.ended(id, body.requestId ?? '', body.position);
}
