/** A guest or its VMM ends, or falls silent, in the middle of anything: the ledger says what happened, and the workspace goes on. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { WorkspaceView } from '@vw/contracts';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Api, until } from '../support/api.js';
import { crashingKernel } from '../support/kernels.js';
import { requireServer } from '../support/provisioned.js';
import { endQemusOf, qemusOf } from '../support/qemu.js';
import { type RunningService, startService } from '../support/service-process.js';

const hasQemu = requireServer('qemu-system-x86_64');
const hypervisors = hasQemu ? ['v86', 'qemu'] : ['v86'];

/** Counted down in some seconds by either VMM: a start is over by then. */
const SECONDS = 1 << 30;

const words = {
  v86: { ended: 'the guest halted with interrupts off', crashed: 'v86 gave up: unreachable' },
  qemu: {
    ended: 'the guest shut itself down',
    crashed: 'the guest reset its processor, by a triple fault or a reboot',
  },
};

let data: string;
let service: RunningService;
let api: Api;

const serve = (environment: Record<string, string>) => {
  beforeAll(async () => {
    data = await mkdtemp(join(tmpdir(), 'vw-guest-'));
    service = await startService(data, environment);
    api = service.api;
  });
  afterAll(async () => {
    await service.kill();
    await endQemusOf(data);
    await rm(data, { recursive: true, force: true });
  });
};

describe.each(hypervisors)('a guest on %s', (hypervisor) => {
  serve({ VW_HYPERVISOR: hypervisor });
  const { ended, crashed } = words[hypervisor as keyof typeof words];

  it('that ends by itself is known to be shut down, with the cause, and can be started again', async () => {
    const id = await api.create('name: short\nrequirements: { kernel: { parameters: beats=3 } }\n');
    await api.done(id, 'deploy');
    await api.done(id, 'start');
    await expectLoss(id, 'running', ended);
    expect(await api.beats(id)).toEqual([1, 2, 3]);
    const drifts = (await api.history(id)).filter(({ type }) => type === 'DriftDetected');
    expect(drifts).toHaveLength(1);
    await api.done(id, 'start');
    await expectLoss(id, 'running', ended);
    await api.done(id, 'undeploy');
  });

  it('that crashes while it runs is known to be gone, and can be started again', async () => {
    const id = await deployed(crashingKernel(SECONDS));
    await api.done(id, 'start');
    await expectLoss(id, 'running', crashed);
    await api.done(id, 'start');
    expect(await api.show(id)).toMatchObject({ state: 'running', integrity: { kind: 'ok' } });
  });

  it('that crashes at once is called failed, or started and then gone; never running', async () => {
    const id = await deployed(crashingKernel(1));
    const { body } = await api.command(id, 'start');
    const { outcome } = await api.ended(id, body.requestId ?? '', body.position);
    await viewOf(id, ({ power }) => power.kind === 'shutdown');
    const last = (await api.history(id)).at(-1);
    if (outcome === 'StartFailed') expect(last).toMatchObject({ type: 'StartFailed', data: { guest: 'absent' } });
    else await expectLoss(id, 'running', crashed);
    await api.done(id, 'undeploy');
  });
});

describe.runIf(hasQemu)('a QEMU that is killed', () => {
  serve({ VW_HYPERVISOR: 'qemu' });

  it.each(['running', 'paused'])(
    'while its guest is %s is missed, and the guest can be started again',
    async (power) => {
      const { id, pid } = await beating();
      if (power === 'paused') await api.done(id, 'pause');
      process.kill(pid, 'SIGKILL');
      await expectLoss(id, power, 'QEMU is gone');
      await api.done(id, 'start');
      expect(await api.show(id)).toMatchObject({ state: 'running', integrity: { kind: 'ok' } });
      await api.done(id, 'stop', { mode: 'hard' });
    },
  );

  it.each([
    ['pause', 'running', 'PauseFailed'],
    ['unpause', 'paused', 'UnpauseFailed'],
    ['serialise', 'paused', 'SerialiseFailed'],
  ])('before it has heard of a %s fails that, with the guest absent', async (verb, power, failed) => {
    const { id, pid } = await beating();
    if (power === 'paused') await api.done(id, 'pause');
    process.kill(pid, 'SIGSTOP');
    const { body } = await api.command(id, verb);
    process.kill(pid, 'SIGKILL');
    expect(await api.ended(id, body.requestId ?? '', body.position)).toMatchObject({ outcome: failed });
    expect((await api.history(id)).at(-1)?.data).toMatchObject({ guest: 'absent', requestId: body.requestId });
    expect(await api.show(id)).toMatchObject({
      power: { kind: 'shutdown' },
      integrity: { kind: 'suspect' },
      intent: { kind: 'none' },
    });
    await api.done(id, 'undeploy');
  });

  it('before it has heard of a stop has done what was asked', async () => {
    const { id, pid } = await beating();
    process.kill(pid, 'SIGSTOP');
    const { body } = await api.command(id, 'stop');
    process.kill(pid, 'SIGKILL');
    expect(await api.ended(id, body.requestId ?? '', body.position)).toMatchObject({ outcome: 'WorkspaceStopped' });
    expect(await api.show(id)).toMatchObject({ power: { kind: 'shutdown' }, integrity: { kind: 'ok' } });
  });

  it('before an undeployment has saved its paused guest leaves a workspace that is suspect', async () => {
    const { id, pid } = await beating();
    await api.done(id, 'pause');
    process.kill(pid, 'SIGSTOP');
    const { body } = await api.command(id, 'undeploy');
    process.kill(pid, 'SIGKILL');
    expect(await api.ended(id, body.requestId ?? '', body.position)).toMatchObject({ outcome: 'WorkspaceUndeployed' });
    expect(await api.show(id)).toMatchObject({
      power: { kind: 'shutdown' },
      placement: { kind: 'none' },
      integrity: { kind: 'suspect' },
    });
  });
});

describe.runIf(hasQemu)('a QEMU that hangs', () => {
  serve({ VW_HYPERVISOR: 'qemu', VW_ANSWER_SECONDS: '1' });

  it('makes the power of its guest unknown once an intent is overdue, and the one outcome comes when it goes on', async () => {
    const { id, pid } = await beating();
    process.kill(pid, 'SIGSTOP');
    const { body } = await api.command(id, 'pause', { deadlineSeconds: 1 });
    const unknown = await viewOf(id, ({ power }) => power.kind === 'unknown');
    expect(unknown).toMatchObject({ power: { lastKnown: 'running' }, intent: { kind: 'pause' } });
    expect((await api.history(id)).at(-1)).toMatchObject({
      type: 'PlacementBecameUnknown',
      data: { lastKnown: 'running' },
    });
    expect((await api.command(id, 'undeploy')).body).toMatchObject({ status: 409, reason: 'INTENT_OPEN' });

    process.kill(pid, 'SIGCONT');
    expect(await api.ended(id, body.requestId ?? '', body.position)).toMatchObject({ outcome: 'WorkspacePaused' });
    const paused = await viewOf(id, ({ power }) => power.kind === 'paused');
    expect(paused).toMatchObject({ state: 'paused', integrity: { kind: 'ok' }, intent: { kind: 'none' } });
    const outcomes = (await api.history(id)).filter(({ data: { requestId } }) => requestId === body.requestId);
    expect(outcomes.map(({ type }) => type)).toEqual(['PauseRequested', 'WorkspacePaused']);
    await api.done(id, 'unpause');
    await api.done(id, 'stop', { mode: 'hard' });
  });

  it('is ended by a hard stop, though it never answers', async () => {
    const { id, pid } = await beating();
    process.kill(pid, 'SIGSTOP');
    await api.done(id, 'stop', { mode: 'hard' });
    expect(await qemusOf(data)).not.toContain(pid);
    expect(await api.show(id)).toMatchObject({ power: { kind: 'shutdown' }, placement: { kind: 'staged' } });
    await api.done(id, 'start');
    await api.done(id, 'stop', { mode: 'hard' });
  });

  it('keeps neither the service from starting nor other workspaces from working', async () => {
    const { id, pid } = await beating();
    process.kill(pid, 'SIGSTOP');
    await service.kill();
    service = await startService(data, { VW_HYPERVISOR: 'qemu', VW_ANSWER_SECONDS: '1' });
    api = service.api;
    const other = await api.create('name: other\n');
    await api.done(other, 'deploy');
    await api.done(other, 'start');
    await api.beatBeyond(other, 1);
    await api.done(other, 'stop', { mode: 'hard' });

    process.kill(pid, 'SIGCONT');
    await api.done(id, 'pause');
    expect(await qemusOf(data)).toContain(pid);
  });
});

async function deployed(kernel: Uint8Array): Promise<string> {
  const name = `crashing-${kernel[33]}-${kernel[36]}`;
  const image = await api.post(`/v1/images?name=${name}&kind=kernel`, kernel, { type: 'application/octet-stream' });
  expect(image.status).toBe(201);
  const { body } = await api.post(`/v1/workspaces?image=${name}`, `name: ${name}\n`);
  await api.done(body.workspaceId, 'deploy');
  return body.workspaceId;
}

/** A guest that runs, and the process that runs it. */
async function beating(): Promise<{ readonly id: string; readonly pid: number }> {
  const before = await qemusOf(data);
  const id = await api.create();
  await api.done(id, 'deploy');
  await api.done(id, 'start');
  await api.beatBeyond(id, 1);
  const pid = (await qemusOf(data)).find((each) => !before.includes(each));
  if (pid === undefined) throw new Error('there is no new QEMU');
  return { id, pid };
}

/** The last event is the drift that tells of the loss, and the view says the same. */
async function expectLoss(id: string, believed: string, cause: string): Promise<void> {
  const integrity = { kind: 'suspect', cause: expect.stringContaining(cause) as string };
  const lost = await viewOf(id, ({ power, integrity: { kind } }) => power.kind === 'shutdown' && kind === 'suspect');
  expect(lost).toMatchObject({ state: 'shutdown', integrity, intent: { kind: 'none' }, placement: { kind: 'staged' } });
  expect((await api.history(id)).at(-1)).toMatchObject({
    type: 'DriftDetected',
    data: { believed, observed: 'absent', cause: expect.stringContaining(cause) as string },
  });
}

async function viewOf(id: string, is: (view: WorkspaceView) => boolean): Promise<WorkspaceView> {
  return until(40_000, `${id} as wanted`, async () => {
    const view = await api.show(id);
    return is(view) ? view : undefined;
  });
}
