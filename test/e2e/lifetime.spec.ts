/** Lifetimes, leases and cancelled work, on a real service. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Api, until } from '../support/api.js';
import { type RunningService, startService } from '../support/service-process.js';

let folder: string;
let service: RunningService;
let api: Api;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'vw-lifetime-'));
  service = await startService(folder, { VW_HYPERVISOR: 'simulated' });
  api = service.api;
});

afterAll(async () => {
  await service.stop();
  await rm(folder, { recursive: true, force: true });
});

describe('a lifetime that is over', () => {
  it('stops the guest, brings the workspace off its host, and refuses to start it again until it is revived', async () => {
    const id = await api.create();
    await api.done(id, 'deploy');
    await api.done(id, 'start');
    await api.done(id, 'set-lifetime', { seconds: 1 });
    const view = await until(20_000, 'the workspace is off its host', async () => {
      const now = await api.show(id);
      return now.expired && now.placement.kind === 'none' ? now : undefined;
    });
    expect(view).toMatchObject({ state: 'shutdown', lock: { kind: 'free' } });
    const types = (await api.history(id)).map(({ type }) => type);
    expect(types.slice(types.indexOf('WorkspaceExpired'))).toEqual([
      ...['WorkspaceExpired', 'StopRequested', 'WorkspaceStopped'],
      ...['UndeployRequested', 'WorkspaceUndeployed', 'WorkspaceCheckedIn'],
    ]);
    expect((await api.command(id, 'deploy')).body.reason).toBe('EXPIRED');
    await api.done(id, 'set-lifetime', { expiresAt: null });
    await api.done(id, 'deploy');
  });
});

describe('a lease that ran out', () => {
  it('gives way to another holder under the next epoch, but never while a host has the workspace', async () => {
    const id = await api.create();
    await api.done(id, 'check-out', { leaseSeconds: 1 }, { as: 'CN=alice' });
    const taken = await until(10_000, 'the lease ran out', async () => {
      const said = await api.command(id, 'check-out', {}, { as: 'CN=bob' });
      return said.status === 202 ? said.body : undefined;
    });
    expect(await api.show(id, taken.position)).toMatchObject({ lock: { holder: 'CN=bob', epoch: 2 } });

    const placed = await api.create();
    await api.done(placed, 'deploy', { leaseSeconds: 1 }, { as: 'CN=alice' });
    await new Promise((resolve) => setTimeout(resolve, 1200));
    expect((await api.command(placed, 'stop', {}, { as: 'CN=bob' })).body.reason).toBe('LOCK_HELD');
    expect((await api.command(placed, 'check-out', {}, { as: 'CN=bob' })).body.reason).toBe('LOCK_HELD');
    const stolen = await api.command(placed, 'steal-lock', { reason: 'alice left' }, { as: 'CN=bob' });
    expect(await api.show(placed, stolen.body.position)).toMatchObject({ lock: { holder: 'CN=bob', epoch: 1 } });
    await api.done(placed, 'undeploy', {}, { as: 'CN=bob' });
  });
});

describe('a description that asks for what no host has', () => {
  it('is told which requirement each host does not meet', async () => {
    const id = await api.create('name: greedy\nrequirements: { memoryMiB: { min: 100000000 } }\n');
    const { body } = await api.command(id, 'deploy');
    expect(body).toMatchObject({
      status: 409,
      reason: 'NO_HOST',
      found: { local: expect.stringContaining('MiB of memory') },
    });
  });

  it('can be refined to what they have', async () => {
    const id = await api.create('name: xen\nrequirements: { vmm: { type: xen } }\n');
    expect((await api.command(id, 'deploy')).body).toMatchObject({
      reason: 'NO_HOST',
      found: { local: expect.stringContaining('VMM xen') },
    });
    await api.done(id, 'refine', { vmm: 'any' });
    await api.done(id, 'deploy');
    expect((await api.command(id, 'refine', { vmm: 'xen' })).body.reason).toBe('DEPLOYED');
  });
});

describe('undo and override', () => {
  it('cancel without anything under way, check-in while deployed and retire while deployed are refused with the reason', async () => {
    const id = await api.create();
    expect((await api.command(id, 'cancel', { reason: 'changed my mind' })).body.reason).toBe('NO_INTENT');
    await api.done(id, 'deploy');
    expect((await api.command(id, 'check-in')).body.reason).toBe('DEPLOYED');
    expect((await api.command(id, 'retire', { reason: 'old' })).body.reason).toBe('DEPLOYED');
  });

  it('an override frees the workspace on the operator’s word, and the host lets go of what it still has', async () => {
    const id = await api.create();
    await api.done(id, 'deploy');
    await api.done(id, 'start');
    await api.done(id, 'override', { reason: 'the rack burned down' }, { as: 'CN=operator' });
    expect(await api.show(id)).toMatchObject({
      placement: { kind: 'none' },
      lock: { kind: 'free', lastEpoch: 1 },
      power: { kind: 'shutdown' },
    });
    await api.done(id, 'deploy');
    await api.done(id, 'start');
    await api.beatBeyond(id, 1);
    expect(await api.show(id)).toMatchObject({ state: 'running', placement: { epoch: 2 } });
  });

  it('a clone begins where the definition stood, with nothing of the deployment', async () => {
    const id = await api.create('name: original\n');
    await api.done(id, 'deploy');
    const cloned = await api.command(id, 'clone', { name: 'copy' });
    expect(cloned.status).toBe(201);
    const view = await api.show(cloned.body.workspaceId, cloned.body.position);
    expect(view).toMatchObject({
      name: 'copy',
      clonedFrom: { workspaceId: id },
      placement: { kind: 'none' },
      lock: { kind: 'free' },
    });
  });
});

describe('memory', () => {
  it('that a host owes to the workspaces placed there is not promised again', async () => {
    const small = await startService(join(folder, 'small'), { VW_HYPERVISOR: 'simulated', VW_MEMORY_MIB: '40' });
    try {
      const ids = [await small.api.create(), await small.api.create(), await small.api.create()];
      await small.api.done(ids[0]!, 'deploy');
      await small.api.done(ids[1]!, 'deploy');
      expect((await small.api.command(ids[2]!, 'deploy')).body).toMatchObject({
        reason: 'NO_HOST',
        found: { local: '16 MiB of memory (it has 8 free of 40)' },
      });
      await small.api.done(ids[0]!, 'undeploy');
      await small.api.done(ids[2]!, 'deploy');
    } finally {
      await small.stop();
    }
  });
});
