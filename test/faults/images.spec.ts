/** Bytes that a disk has spoilt are never given to a VMM (invariant I10): the workspace is corrupted by the same append, and a repair brings it on. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ImageView, OperationView, Page } from '@vw/contracts';
import { buildHeartbeatGuest } from '@vw/hypervisors';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Api, until } from '../support/api.js';
import { bytesOf, cutOff, flipByte, onHost } from '../support/damage.js';
import { type RunningService, startService } from '../support/service-process.js';

let data: string;
let service: RunningService;
let api: Api;

beforeAll(async () => {
  data = await mkdtemp(join(tmpdir(), 'vw-images-'));
  service = await startService(data, { VW_HYPERVISOR: 'v86' });
  api = service.api;
});

afterAll(async () => {
  await service.stop();
  await rm(data, { recursive: true, force: true });
});

describe('an image', () => {
  it.each([
    ['with a flipped byte', flipByte],
    ['that is cut off', (file: string) => cutOff(file, 100)],
    ['whose bytes are gone', (file: string) => rm(file)],
  ])('%s is not deployed; added again, it is', async (_, spoil) => {
    const { id, name, digest } = await workspaceOfItsOwn();
    await spoil(bytesOf(data, digest));
    expect(await outcome(id, 'deploy')).toMatchObject({ outcome: 'DeployFailed', failure: { class: 'corrupt' } });
    await expectCorrupted(id, 'deploy', digest);
    expect(await api.show(id)).toMatchObject({ placement: { kind: 'none' } });
    expect(await api.beats(id)).toEqual([]);
    expect(await statusOf(name)).toBe('corrupted');
    expect((await api.command(id, 'deploy')).body).toMatchObject({ status: 409, reason: 'CORRUPTED' });
    const withoutImage = await api.command(id, 'repair', { reason: 'not yet', image: name });
    expect(withoutImage.body).toMatchObject({ status: 409, reason: 'NO_IMAGE' });

    await addImage(name);
    expect(await statusOf(name)).toBe('available');
    await api.done(id, 'repair', { reason: 'the image was added again', image: name });
    await startsFresh(id);
  });

  it('that the repository has lost altogether is missing, not corrupted', async () => {
    const { id, name, digest } = await workspaceOfItsOwn();
    await rm(`${bytesOf(data, digest)}.${name}.json`);
    expect(await outcome(id, 'deploy')).toMatchObject({ outcome: 'DeployFailed', failure: { class: 'image' } });
    expect(await api.show(id)).toMatchObject({
      state: 'shutdown',
      integrity: { kind: 'ok' },
      placement: { kind: 'none' },
    });
    await addImage(name);
    await startsFresh(id);
  });

  it('that was spoilt on the host after its deployment is not booted; staged again, it is', async () => {
    const { id, name, digest } = await workspaceOfItsOwn();
    await api.done(id, 'deploy');
    await flipByte(onHost(data, id, 'boot.img'));
    expect(await outcome(id, 'start')).toMatchObject({ outcome: 'StartFailed', failure: { class: 'corrupt' } });
    await expectCorrupted(id, 'start', digest);
    expect(await api.beats(id)).toEqual([]);
    expect(await statusOf(name)).toBe('available');
    expect((await api.command(id, 'start')).body).toMatchObject({ status: 409, reason: 'CORRUPTED' });

    await api.done(id, 'undeploy');
    await api.done(id, 'repair', { reason: 'it was the host’s copy' });
    await startsFresh(id);
  });
});

describe('a hot image', () => {
  it.each([
    ['with a flipped byte', flipByte],
    ['that is cut off', (file: string) => cutOff(file, 5000)],
    ['that is gone', (file: string) => rm(file)],
  ])('%s, on the host and in the repository, is not continued; discarded, the guest boots fresh', async (_, spoil) => {
    const { id, hot } = await serialised();
    await spoil(bytesOf(data, hot));
    await spoil(onHost(data, id, 'hot.img'));
    expect(await outcome(id, 'start')).toMatchObject({ outcome: 'StartFailed', failure: { class: 'corrupt' } });
    await expectCorrupted(id, 'start', hot);
    expect((await api.command(id, 'start')).body).toMatchObject({ status: 409, reason: 'CORRUPTED' });
    await api.done(id, 'repair', { reason: 'the computation is lost', discardHotImage: true });
    expect(await api.show(id)).toMatchObject({ state: 'shutdown', integrity: { kind: 'ok' } });
    const before = (await api.beats(id)).length;
    await api.done(id, 'start');
    const fresh = await until(20_000, 'a heartbeat', async () => (await api.beats(id))[before]);
    expect(fresh).toBe(1);
  });

  it.each([
    ['on the host', (id: string) => onHost(data, id, 'hot.img')],
    ['in the repository', (_: string, hot: string) => bytesOf(data, hot)],
  ])('with a flipped byte only %s is continued from where it is whole', async (_, place) => {
    const { id, hot } = await serialised();
    await flipByte(place(id, hot));
    const before = await api.beats(id);
    await api.done(id, 'start');
    await api.beatBeyond(id, before.at(-1) ?? 0);
    expect((await api.beats(id))[before.length]).toBe((before.at(-1) ?? 0) + 1);
    expect((await api.show(id)).integrity).toEqual({ kind: 'ok' });
  });

  it('with a flipped byte fails the deployment that brings it, and is not held against the image beside it', async () => {
    const { id, name, hot } = await serialised();
    await api.done(id, 'undeploy');
    await flipByte(bytesOf(data, hot));
    expect(await outcome(id, 'deploy')).toMatchObject({ outcome: 'DeployFailed', failure: { class: 'corrupt' } });
    await expectCorrupted(id, 'deploy', hot);
    expect(await statusOf(name)).toBe('available');
    await api.done(id, 'repair', { reason: 'the computation is lost', discardHotImage: true });
    await startsFresh(id);
  });
});

let made = 0;

/** A workspace of an image that nothing else uses: the tiny guest with other bytes behind it. */
async function workspaceOfItsOwn() {
  const name = `spoilt-${(made += 1)}`;
  const digest = await addImage(name);
  const { body } = await api.post(`/v1/workspaces?image=${name}`, `name: ${name}\n`);
  return { id: body.workspaceId, name, digest };
}

async function addImage(name: string): Promise<string> {
  const bytes = Buffer.concat([buildHeartbeatGuest(), Buffer.from(name)]);
  const { status, body } = await api.post<{ digest: string }>(`/v1/images?name=${name}&kind=kernel`, bytes, {
    type: 'application/octet-stream',
  });
  expect(status).toBe(201);
  return body.digest;
}

/** A workspace whose guest is in a hot image and nowhere else. */
async function serialised() {
  const workspace = await workspaceOfItsOwn();
  const { id } = workspace;
  await startsFresh(id);
  await api.done(id, 'pause');
  await api.done(id, 'serialise');
  await api.done(id, 'stop', { mode: 'hard' });
  const { power } = await api.show(id);
  if (power.kind !== 'serialised') throw new Error(`it is ${power.kind}`);
  return { ...workspace, hot: power.hotImage.digest };
}

async function startsFresh(id: string): Promise<void> {
  await api.done(id, 'deploy');
  await api.done(id, 'start');
  await api.beatBeyond(id, 1);
  expect((await api.beats(id))[0]).toBe(1);
  expect(await api.show(id)).toMatchObject({ state: 'running', integrity: { kind: 'ok' } });
}

async function outcome(id: string, verb: string): Promise<OperationView> {
  const { body } = await api.command(id, verb);
  return api.ended(id, body.requestId ?? '', body.position);
}

/** The failure and the corruption are one append: the same evidence, the same instant, nothing in between. */
async function expectCorrupted(id: string, attempted: string, digest: string): Promise<void> {
  const [failed, corrupted] = (await api.history(id)).slice(-2);
  expect(failed?.data).toMatchObject({ class: 'corrupt', guest: 'absent' });
  expect(corrupted).toMatchObject({
    type: 'WorkspaceCorrupted',
    recordedAt: failed?.recordedAt,
    data: { attempted, evidence: expect.stringContaining(digest) as string },
  });
  expect(await api.show(id)).toMatchObject({
    state: 'corrupted',
    integrity: { kind: 'corrupted', attempted },
    intent: { kind: 'none' },
  });
}

async function statusOf(name: string): Promise<string | undefined> {
  const { position } = (await api.get<Page<ImageView>>('/v1/images')).body;
  const { body } = await api.get<Page<ImageView>>(`/v1/images?after=${position}`);
  return body.items.find((image) => image.name === name)?.status;
}
