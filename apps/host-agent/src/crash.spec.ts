/**
 * The agent is killed at each of its calls to the outside in turn, before the call comes through and after it has, and started again on the same disk.
 * Whatever the moment: every task gets one answer, no answer is a failure, and the workspace comes out of it as if nothing had been.
 */
import { appendFileSync, existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { afterEach, describe, expect, it, vi } from 'vitest';
import type { Observation, Work } from '@vw/contracts';
import type { Death } from '../spec/mortal.js';
import { TestHost } from '../spec/host.js';

/** More calls than a life makes; the sweep ends with the first death that did not come. */
const MOST_CALLS = 500;

describe('an agent killed at any of its calls', () => {
  let host: TestHost;
  afterEach(() => host.dispose());

  async function wholeLife(): Promise<readonly Observation[]> {
    const seen: Observation[] = [];
    const perform = async (work: Work, epoch = 1): Promise<Observation> => {
      const observation = await host.perform(work, { epoch });
      seen.push(observation);
      return observation;
    };
    await perform(host.deployment(host.disk));
    await perform({ kind: 'start', from: 'image' });
    await perform({ kind: 'pause' });
    const serialised = await perform({ kind: 'serialise' });
    await perform({ kind: 'stop', mode: 'hard', graceMs: 0 });
    if (serialised.kind !== 'serialised') throw new Error(JSON.stringify(serialised));
    await perform({ kind: 'start', from: 'hot-image', hotImage: serialised.hotImage });
    await perform({ kind: 'pause' });
    const undeployed = await perform({ kind: 'undeploy', captureHotImage: true });
    if (undeployed.kind !== 'undeployed') throw new Error(JSON.stringify(undeployed));
    expect(undeployed.hotImage).toBeDefined();
    return seen;
  }

  const KINDS = ['deployed', 'started', 'paused', 'serialised', 'stopped', 'started', 'paused', 'undeployed'];

  async function survive(death: Death): Promise<boolean> {
    host = await TestHost.prepare();
    host.deaths = [death];
    await host.start();
    const { life } = host;
    const seen = await wholeLife();
    const died = life.isOver;
    expect({ death, kinds: seen.map(({ kind }) => kind) }).toEqual({ death, kinds: KINDS });
    const answers = new Map<string, string>();
    for (const { requestId, observation, bootId, seq } of host.bus.evidence) {
      if (requestId === undefined) continue;
      expect({ death, name: answers.get(requestId) ?? `${bootId}/${seq}` }).toEqual({
        death,
        name: `${bootId}/${seq}`,
      });
      answers.set(requestId, `${bootId}/${seq}`);
      expect(observation.kind).not.toBe('failed');
    }
    expect(await host.power()).toBe('absent');
    expect(existsSync(host.workspaceFile(''))).toBe(false);
    expect(await host.perform(host.deployment())).toMatchObject({ kind: 'failed', class: 'stale-epoch' });
    await host.dispose();
    return died;
  }

  it.each(['before', 'after'] as const)(
    'lives the same life: %s the call',
    async (when) => {
      let call = 1;
      while (call < MOST_CALLS && (await survive({ call, when }))) call += 1;
      expect(call).toBeGreaterThan(20);
      host = await TestHost.started();
    },
    120_000,
  );

  it('says that a guest which died with the process is gone', async () => {
    host = await TestHost.prepare();
    host.guestsAreMortal = true;
    await host.start();
    await host.perform(host.deployment());
    await host.perform({ kind: 'start', from: 'image' });
    await host.restart();
    const { observation, bootId } = await host.unasked();
    expect(observation).toEqual({ kind: 'observed', guest: 'absent', cause: 'the simulated machine is gone' });
    expect(bootId).toBe(host.agent.bootId);
  });

  it('takes up a guest that has outlived it', async () => {
    host = await TestHost.started();
    await host.perform(host.deployment());
    await host.perform({ kind: 'start', from: 'image' });
    await host.restart();
    expect((await host.unasked()).observation).toMatchObject({ kind: 'observed', guest: 'running' });
    expect(await host.perform({ kind: 'pause' })).toEqual({ kind: 'paused' });
  });

  it('keeps the state of a paused guest whose capture was done before the guest died with the process', async () => {
    host = await TestHost.prepare();
    host.guestsAreMortal = true;
    await host.start();
    await host.perform(host.deployment());
    await host.perform({ kind: 'start', from: 'image' });
    await host.perform({ kind: 'pause' });
    const stopping = new Promise<void>((begun) => {
      host.sabotage = {
        stop: () => {
          begun();
          return new Promise<never>(() => undefined);
        },
      };
    });
    const task = host.task({ kind: 'undeploy', captureHotImage: true });
    await host.send(task);
    await stopping;
    host.sabotage = {};
    await host.restart();
    const { observation } = await host.answer(task.taskId);
    expect(observation).toMatchObject({ kind: 'undeployed', hotImage: { vmmType: 'simulated' } });
  });

  it('knows what it has released when the folder is gone already', async () => {
    host = await TestHost.started();
    await host.perform(host.deployment());
    const gone = new Promise<void>((begun) => {
      host.sabotage = {
        undeploy: async ({ directory }) => {
          rmSync(directory, { recursive: true });
          begun();
          await new Promise<never>(() => undefined);
        },
      };
    });
    const task = host.task({ kind: 'undeploy', captureHotImage: false });
    await host.send(task);
    await gone;
    host.sabotage = {};
    await host.restart();
    expect((await host.answer(task.taskId)).observation).toEqual({
      kind: 'undeployed',
      imageDigest: host.kernel.digest,
    });
  });

  it('does not continue a guest twice from one hot image when its disk was written in between', async () => {
    host = await TestHost.prepare();
    host.guestsAreMortal = true;
    await host.start();
    await host.perform(host.deployment(host.disk));
    await host.perform({ kind: 'start', from: 'image' });
    await host.perform({ kind: 'pause' });
    const serialised = await host.perform({ kind: 'serialise' });
    if (serialised.kind !== 'serialised') throw new Error(serialised.kind);
    await host.perform({ kind: 'stop', mode: 'hard', graceMs: 0 });
    const { calls } = host.life;
    host.bus.acknowledging = false;
    const task = host.task({ kind: 'start', from: 'hot-image', hotImage: serialised.hotImage });
    const begun = calls.length;
    host.sabotage = {
      observe: async () =>
        calls.includes('hypervisor.start', begun) ? new Promise<never>(() => undefined) : { power: 'absent' },
    };
    await host.send(task);
    await vi.waitUntil(() => calls.includes('hypervisor.start', begun));
    appendFileSync(host.workspaceFile('boot.img'), 'what the continued guest has written');
    host.sabotage = {};
    host.bus.acknowledging = true;
    await host.restart();
    expect((await host.answer(task.taskId)).observation).toMatchObject({
      kind: 'failed',
      class: 'image',
      guest: 'absent',
    });
  });

  it('removes what a deployment has left that nobody asks for any more', async () => {
    host = await TestHost.started();
    await host.perform(host.deployment());
    await host.perform({ kind: 'expel' });
    await host.kill();
    mkdirSync(host.workspaceFile('', 'w9'), { recursive: true });
    writeFileSync(host.workspaceFile('boot.img', 'w9'), 'half an image');
    await host.start();
    await host.perform(host.deployment(), { workspaceId: 'w9' });
    await host.perform({ kind: 'undeploy', captureHotImage: false }, { workspaceId: 'w9' });
    expect(existsSync(host.workspaceFile('', 'w9'))).toBe(false);
  });
});
