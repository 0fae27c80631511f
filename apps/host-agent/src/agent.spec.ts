import { appendFileSync, existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { afterEach, describe, expect, it } from 'vitest';
import type { Heartbeat, Observation, Work } from '@vw/contracts';
import { GuestNotStarted, ObservationImpossible } from '@vw/hypervisors';
import { ImageCorrupted } from '@vw/images';
import { HOST, TestHost, WORKSPACE } from '../spec/host.js';

describe('a host agent', () => {
  let host: TestHost;
  afterEach(() => host.dispose());

  const start: Work = { kind: 'start', from: 'image' };
  const hardStop: Work = { kind: 'stop', mode: 'hard', graceMs: 0 };
  const undeploy: Work = { kind: 'undeploy', captureHotImage: false };

  function hotImageIn(seen: Observation) {
    if (seen.kind !== 'serialised' && seen.kind !== 'undeployed') throw new Error(`${seen.kind} has no hot image`);
    return seen.hotImage!;
  }

  const console = (): string => {
    const file = host.workspaceFile('serial.log');
    return existsSync(file) ? readFileSync(file, 'utf8') : '';
  };
  const lastBeat = (): number => Number(/HB (\d+)\n$/.exec(console())?.[1] ?? 0);
  const beats = async (atLeast: number): Promise<void> => {
    while (lastBeat() < atLeast) await new Promise((resolve) => setTimeout(resolve, 10));
  };

  describe('performs', () => {
    it('a whole life, and the computation goes on from its hot image', async () => {
      host = await TestHost.started();
      expect(await host.perform(host.deployment())).toEqual({ kind: 'deployed', imageDigest: host.kernel.digest });
      expect(await host.perform(start)).toEqual({
        kind: 'started',
        from: 'image',
        vmm: { type: 'simulated', version: '1', accelerator: 'none' },
      });
      await beats(2);
      expect(await host.perform({ kind: 'pause' })).toEqual({ kind: 'paused' });
      expect(await host.perform({ kind: 'unpause' })).toEqual({ kind: 'unpaused' });
      await host.perform({ kind: 'pause' });
      const atPause = lastBeat();
      const serialised = await host.perform({ kind: 'serialise' });
      const hotImage = hotImageIn(serialised);
      expect(hotImage).toMatchObject({ vmmType: 'simulated', vmmVersion: '1', machine: 'clockwork' });
      expect(await host.power()).toBe('paused');
      expect(await host.perform(hardStop)).toEqual({ kind: 'stopped' });
      expect(await host.power()).toBe('absent');
      expect(await host.perform({ kind: 'start', from: 'hot-image', hotImage })).toMatchObject({ kind: 'started' });
      await beats(atPause + 1);
      expect(console().match(/^HB 1$/gm)).toHaveLength(1);
      await host.perform(hardStop);
      expect(await host.perform(undeploy)).toEqual({ kind: 'undeployed', imageDigest: host.kernel.digest });
      expect(existsSync(host.workspaceFile(''))).toBe(false);
    });

    it('an undeployment that captures a paused guest, which then goes on after another deployment', async () => {
      host = await TestHost.started();
      await host.perform(host.deployment());
      await host.perform(start);
      await beats(2);
      await host.perform({ kind: 'pause' });
      const atPause = lastBeat();
      const hotImage = hotImageIn(await host.perform({ kind: 'undeploy', captureHotImage: true }));
      const deploy = { ...host.deployment(), hotImage } as Work;
      expect(await host.perform(deploy, { epoch: 2 })).toMatchObject({ kind: 'deployed' });
      await host.perform({ kind: 'start', from: 'hot-image', hotImage }, { epoch: 2 });
      await beats(atPause + 1);
      expect(console()).not.toMatch(/^HB 1$/m);
    });

    it('an undeployment of a disk: a used one comes back under a new digest, an unused one under its own', async () => {
      host = await TestHost.started();
      await host.perform(host.deployment(host.disk));
      await host.perform(start);
      appendFileSync(host.workspaceFile('boot.img'), 'what the guest has written');
      await host.perform(hardStop);
      const used = await host.perform(undeploy);
      if (used.kind !== 'undeployed') throw new Error(used.kind);
      expect(used.imageDigest).not.toBe(host.disk.digest);
      expect(await host.images.get(used.imageDigest)).toMatchObject({ kind: 'disk', name: WORKSPACE });

      await host.perform(host.deployment(host.disk), { epoch: 2 });
      expect(await host.perform(undeploy, { epoch: 2 })).toEqual({ kind: 'undeployed', imageDigest: host.disk.digest });
    });

    it('each verb again as if nothing were to be done, where its state is there', async () => {
      host = await TestHost.started();
      await host.perform(host.deployment());
      await host.perform(start);
      expect(await host.perform(start)).toMatchObject({ kind: 'started' });
      await host.perform({ kind: 'pause' });
      expect(await host.perform({ kind: 'pause' })).toEqual({ kind: 'paused' });
      await host.perform({ kind: 'unpause' });
      expect(await host.perform({ kind: 'unpause' })).toEqual({ kind: 'unpaused' });
      await host.perform(hardStop);
      expect(await host.perform(hardStop)).toEqual({ kind: 'stopped' });
    });
  });

  describe('fails honestly', () => {
    const failure = (failureClass: string, guest = 'absent') =>
      expect.objectContaining({ kind: 'failed', class: failureClass, guest });

    it('when an image is not in the repository, or is not what it was', async () => {
      host = await TestHost.started();
      const nowhere = { ...host.kernel, digest: `sha256:${'0'.repeat(64)}` };
      expect(await host.perform(host.deployment(nowhere))).toEqual(failure('image'));
      host.sabotagedImages = {
        fetch: (digest) => Promise.reject(new ImageCorrupted(digest, 'sha256:other', 'the repository')),
      };
      expect(await host.perform(host.deployment(), { epoch: 2 })).toEqual(failure('corrupt'));
      expect(existsSync(host.workspaceFile(''))).toBe(false);
    });

    it('when the disk is full half-way, and leaves nothing behind', async () => {
      host = await TestHost.started();
      host.sabotagedImages = {
        fetch: async (_digest, file) => {
          writeFileSync(file, 'half');
          throw Object.assign(new Error('ENOSPC: no space left on device'), { code: 'ENOSPC', syscall: 'write' });
        },
      };
      expect(await host.perform(host.deployment())).toEqual(failure('host'));
      expect(existsSync(host.workspaceFile(''))).toBe(false);
    });

    it('when its workspaces have no place on the disk', async () => {
      host = await TestHost.started();
      rmSync(`${host.dataFolder}/workspaces`, { recursive: true });
      writeFileSync(`${host.dataFolder}/workspaces`, 'no folder');
      expect(await host.perform(host.deployment())).toEqual(failure('host'));
    });

    it('when the local copy was changed before the guest was first started (I10)', async () => {
      host = await TestHost.started();
      await host.perform(host.deployment());
      appendFileSync(host.workspaceFile('boot.img'), '!');
      expect(await host.perform(start)).toEqual(failure('corrupt'));
      expect(await host.power()).toBe('absent');
    });

    it('when the VMM does not bring the guest up, telling a bad state from a bad VMM', async () => {
      host = await TestHost.started();
      await host.perform(host.deployment());
      host.sabotage = { start: () => Promise.reject(new GuestNotStarted('the kernel is nonsense', true)) };
      expect(await host.perform(start)).toEqual(failure('corrupt'));
      host.sabotage = { start: () => Promise.reject(new GuestNotStarted('no memory', false)) };
      expect(await host.perform(start)).toEqual(failure('vmm'));
    });

    it('when a hot image is another VMM’s, or damaged here and nowhere to be had', async () => {
      host = await TestHost.started();
      await host.perform(host.deployment());
      await host.perform(start);
      await host.perform({ kind: 'pause' });
      const hotImage = hotImageIn(await host.perform({ kind: 'serialise' }));
      await host.perform(hardStop);
      const foreign = { ...hotImage, vmmType: 'qemu' };
      expect(await host.perform({ kind: 'start', from: 'hot-image', hotImage: foreign })).toEqual(failure('image'));
      writeFileSync(host.workspaceFile('hot.img'), 'damaged');
      const lost = { ...hotImage, digest: `sha256:${'1'.repeat(64)}` };
      expect(await host.perform({ kind: 'start', from: 'hot-image', hotImage: lost })).toEqual(failure('image'));
      expect(await host.perform({ kind: 'start', from: 'hot-image', hotImage })).toMatchObject({ kind: 'started' });
    });

    it('when the guest is not there, or not in the state that is asked of it', async () => {
      host = await TestHost.started();
      expect(await host.perform(start)).toEqual(failure('host'));
      await host.perform(host.deployment());
      expect(await host.perform({ kind: 'pause' })).toEqual(failure('guest'));
      expect(await host.perform({ kind: 'unpause' })).toEqual(failure('guest'));
      await host.perform(start);
      expect(await host.perform({ kind: 'serialise' })).toEqual(failure('guest', 'running'));
    });

    it('when an undeployment cannot bring back the disk: the paused guest loses nothing', async () => {
      host = await TestHost.started();
      await host.perform(host.deployment(host.disk));
      await host.perform(start);
      await host.perform({ kind: 'pause' });
      const full = Object.assign(new Error('ENOSPC'), { code: 'ENOSPC', syscall: 'write' });
      host.sabotagedImages = { put: () => Promise.reject(full) };
      expect(await host.perform({ kind: 'undeploy', captureHotImage: true })).toEqual(failure('host', 'paused'));
      host.sabotagedImages = {};
      expect(await host.perform({ kind: 'unpause' })).toEqual({ kind: 'unpaused' });
    });

    it('but never before absence is confirmed', async () => {
      host = await TestHost.started();
      await host.perform(host.deployment());
      let asked = 0;
      host.sabotage = {
        start: () => Promise.reject(new Error('the VMM hung up')),
        observe: async () => {
          asked += 1;
          if (asked < 3) throw new ObservationImpossible('the VMM does not answer');
          return { power: 'absent' };
        },
      };
      expect(await host.perform(start)).toEqual(failure('vmm'));
      expect(asked).toBeGreaterThanOrEqual(3);
      expect(host.agent.counters.putOff).toBeGreaterThan(0);
    });

    it('and calls a start a success that failed with its effect', async () => {
      host = await TestHost.started();
      await host.perform(host.deployment());
      let running = false;
      host.sabotage = {
        async start() {
          running = true;
          throw new Error('abort, with 134');
        },
        observe: async () => (running ? { power: 'running' } : { power: 'absent' }),
      };
      expect(await host.perform(start)).toMatchObject({ kind: 'started' });
      host.sabotage = {};
    });
  });

  describe('keeps to its epochs', () => {
    it('and refuses a lower one and a closed one, doing nothing', async () => {
      host = await TestHost.started();
      await host.perform(host.deployment(), { epoch: 3 });
      await host.perform(start, { epoch: 3 });
      for (const work of [host.deployment(), start, hardStop, undeploy]) {
        expect(await host.perform(work, { epoch: 2 })).toMatchObject({
          kind: 'failed',
          class: 'stale-epoch',
          guest: 'absent',
        });
      }
      expect(await host.power(3)).toBe('running');
      await host.perform(hardStop, { epoch: 3 });
      await host.perform(undeploy, { epoch: 3 });
      expect(await host.perform(host.deployment(), { epoch: 3 })).toMatchObject({
        kind: 'failed',
        class: 'stale-epoch',
      });
      await host.restart();
      expect(await host.perform(host.deployment(), { epoch: 3 })).toMatchObject({
        kind: 'failed',
        class: 'stale-epoch',
      });
      expect(existsSync(host.workspaceFile(''))).toBe(false);
      expect(await host.perform(host.deployment(), { epoch: 4 })).toMatchObject({ kind: 'deployed' });
    });

    it('and ends an older guest before it deploys anew', async () => {
      host = await TestHost.started();
      await host.perform(host.deployment());
      await host.perform(start);
      expect(await host.perform(host.deployment(), { epoch: 2 })).toMatchObject({ kind: 'deployed' });
      expect(await host.power(2)).toBe('absent');
      expect(existsSync(host.workspaceFile('serial.log'))).toBe(false);
    });

    it('and expels what is of an epoch or below it, never a higher one', async () => {
      host = await TestHost.started();
      await host.perform(host.deployment(), { epoch: 2 });
      await host.perform(start, { epoch: 2 });
      expect(await host.perform({ kind: 'expel' }, { epoch: 1 })).toMatchObject({ kind: 'observed', guest: 'absent' });
      expect(await host.power(2)).toBe('running');
      expect(await host.perform({ kind: 'expel' }, { epoch: 3 })).toMatchObject({ kind: 'observed', guest: 'absent' });
      expect(existsSync(host.workspaceFile(''))).toBe(false);
      expect(await host.perform(host.deployment(), { epoch: 3 })).toMatchObject({
        kind: 'failed',
        class: 'stale-epoch',
      });
    });

    it('also those that only a folder tells of, when the journal was lost', async () => {
      host = await TestHost.started();
      await host.perform(host.deployment(), { epoch: 5 });
      await host.kill();
      rmSync(`${host.dataFolder}/journal.jsonl`);
      await host.start();
      expect(await host.perform(host.deployment(), { epoch: 4 })).toMatchObject({
        kind: 'failed',
        class: 'stale-epoch',
      });
    });
  });

  describe('takes messages as they come', () => {
    it('and acts once on a task that comes twice, repeating its evidence under the same number', async () => {
      host = await TestHost.started();
      let stages = 0;
      host.sabotage = {
        stage: async () => {
          stages += 1;
        },
      };
      const task = host.task(host.deployment());
      await Promise.all([host.send(task), host.send(task)]);
      const first = await host.answer(task.taskId);
      const before = host.bus.evidence.length;
      await host.send(task);
      const again = await host.bus.until(() => host.bus.evidence[before]);
      expect(again).toEqual(first);
      expect(stages).toBe(1);
      expect(host.agent.counters).toMatchObject({ taken: 1, repeated: 2 });
    });

    it('and does not start a guest again because of a late copy of the start', async () => {
      host = await TestHost.started();
      await host.perform(host.deployment());
      const late = host.task(start);
      await host.send(late);
      await host.answer(late.taskId);
      await host.perform(hardStop);
      await host.restart();
      await host.send(late);
      await host.perform({ kind: 'pause' });
      expect(await host.power()).toBe('absent');
    });

    it('and drops what no ledger sends, and what is for another host', async () => {
      host = await TestHost.started();
      const escaping = { ...host.task(start), workspaceId: '../../etc' };
      for (const payload of [{}, { type: 'task' }, { type: 'task', task: escaping }]) {
        expect(await host.bus.deliver(payload)).toEqual({ kind: 'ack' });
      }
      await host.send(host.task(start, { hostId: 'h2' }));
      expect(host.agent.counters).toMatchObject({ malformed: 3, misdirected: 1, taken: 0 });
    });

    it('and answers an observation with what is true at that moment', async () => {
      host = await TestHost.started();
      await host.perform(host.deployment());
      await host.perform(start);
      await host.send(host.task({ kind: 'observe' }));
      expect((await host.unasked()).observation).toEqual({ kind: 'observed', guest: 'running', cause: 'asked for' });
    });

    it('and tells of a guest that ends by itself, with its cause', async () => {
      host = await TestHost.started();
      await host.perform(host.deployment(host.kernel, 'beats=2'));
      await host.perform(start);
      expect((await host.unasked()).observation).toEqual({
        kind: 'observed',
        guest: 'absent',
        cause: 'the guest shut itself down',
      });
    });
  });

  describe('gives a task up', () => {
    const cancelled = expect.objectContaining({ kind: 'failed', class: 'cancelled', guest: 'absent' });

    it('while its image is being fetched', async () => {
      host = await TestHost.started();
      const fetching = new Promise<void>((begun) => {
        host.sabotagedImages = {
          fetch: (_digest, _file, signal) =>
            new Promise((_, reject) => {
              signal!.addEventListener('abort', () => reject(signal!.reason as Error));
              begun();
            }),
        };
      });
      const task = host.task(host.deployment());
      await host.send(task);
      await fetching;
      await host.send(host.task({ kind: 'cancel', requestId: task.taskId }));
      expect((await host.answer(task.taskId)).observation).toEqual(cancelled);
      expect(existsSync(host.workspaceFile(''))).toBe(false);
    });

    it('before it begins, and before it comes', async () => {
      host = await TestHost.started();
      let release = (): void => undefined;
      const held = new Promise<void>((resolve) => (release = resolve));
      host.sabotage = { stage: () => held };
      const queued = host.task(start);
      await host.send(host.task(host.deployment()));
      await host.send(queued);
      await host.send(host.task({ kind: 'cancel', requestId: queued.taskId }));
      host.sabotage = {};
      release();
      expect((await host.answer(queued.taskId)).observation).toEqual(cancelled);

      const unborn = host.task(start);
      await host.send(host.task({ kind: 'cancel', requestId: unborn.taskId }));
      expect((await host.answer(unborn.taskId)).observation).toEqual(cancelled);
      await host.send(unborn);
      await host.perform({ kind: 'pause' });
      expect(await host.power()).toBe('absent');
    });

    it('once, when it comes on the heels of its cancellation', async () => {
      host = await TestHost.started();
      let release = (): void => undefined;
      const held = new Promise<void>((resolve) => (release = resolve));
      host.sabotage = { stage: () => held };
      await host.send(host.task(host.deployment()));
      const late = host.task(start);
      await host.send(host.task({ kind: 'cancel', requestId: late.taskId }));
      await host.send(late);
      host.sabotage = {};
      release();
      await host.answer(late.taskId);
      await host.perform({ kind: 'pause' });
      const answers = host.bus.evidence.filter(({ requestId }) => requestId === late.taskId);
      expect(new Set(answers.map(({ seq }) => seq)).size).toBe(1);
      expect(answers[0]!.observation).toEqual(cancelled);
    });

    it('but not a guest that is there: it goes on', async () => {
      host = await TestHost.started();
      await host.perform(host.deployment());
      await host.perform(start);
      await host.perform({ kind: 'pause' });
      let release = (): void => undefined;
      const held = new Promise<void>((resolve) => (release = resolve));
      host.sabotage = { serialise: () => held.then(() => Promise.reject(new Error('no room'))) };
      const task = host.task(start);
      await host.send(host.task({ kind: 'serialise' }));
      await host.send(task);
      await host.send(host.task({ kind: 'cancel', requestId: task.taskId }));
      release();
      expect((await host.answer(task.taskId)).observation).toMatchObject({ kind: 'started' });
    });

    it('but lets the effect stand that has happened', async () => {
      host = await TestHost.started();
      const task = host.task(host.deployment());
      await host.send(task);
      await host.answer(task.taskId);
      await host.send(host.task({ kind: 'cancel', requestId: task.taskId }));
      await host.perform(start);
      const answers = host.bus.evidence.filter(({ requestId }) => requestId === task.taskId);
      expect(new Set(answers.map(({ observation }) => observation.kind))).toEqual(new Set(['deployed']));
    });

    it('also when it was killed in between', async () => {
      host = await TestHost.started();
      host.sabotagedImages = { fetch: () => new Promise<never>(() => undefined) };
      const task = host.task(host.deployment());
      await host.send(task);
      await host.send(host.task({ kind: 'cancel', requestId: task.taskId }));
      await host.restart();
      expect((await host.answer(task.taskId)).observation).toEqual(cancelled);
    });
  });

  describe('lives beside others', () => {
    it('and beats', async () => {
      host = await TestHost.started();
      const beat = await host.bus.until(() =>
        host.bus.published.find(({ subject }) => subject === `vw.heartbeat.${HOST}`),
      );
      expect(beat.payload as unknown as Heartbeat).toMatchObject({
        hostId: HOST,
        bootId: host.agent.bootId,
        capacity: { cpus: 4, vmms: [{ type: 'simulated', accelerator: 'none' }] },
      });
    });

    it('and gives pieces of a console', async () => {
      host = await TestHost.started();
      await host.perform(host.deployment(host.kernel, 'hello'));
      await host.perform(start);
      const ask = (from: number, workspaceId = WORKSPACE) =>
        host.bus.request(`vw.console.${HOST}`, { workspaceId, from }, 1000);
      const piece = await ask(0);
      expect(Buffer.from(String(piece['bytes']), 'base64').toString()).toMatch(/^MB hello\n/);
      expect(await ask(1_000_000)).toEqual({ bytes: '', next: 1_000_000, present: true });
      expect(await ask(0, 'w2')).toMatchObject({ present: false });
      expect(await ask(0, '../w1')).toMatchObject({ present: false });
    });

    it('and drains: what runs ends, what waits stays for the next start', async () => {
      host = await TestHost.started();
      let release = (): void => undefined;
      const held = new Promise<void>((resolve) => (release = resolve));
      host.sabotage = { stage: () => held };
      const running = host.task(host.deployment());
      const waiting = host.task(start);
      await host.send(running);
      await host.send(waiting);
      const drained = host.agent.drain();
      expect(await host.send(host.task(start))).toMatchObject({ kind: 'retry' });
      host.sabotage = {};
      release();
      await drained;
      expect((await host.answer(running.taskId)).observation).toMatchObject({ kind: 'deployed' });
      await host.agent.close();
      expect(host.bus.evidence.some(({ requestId }) => requestId === waiting.taskId)).toBe(false);
      await host.restart();
      expect((await host.answer(waiting.taskId)).observation).toMatchObject({ kind: 'started' });
    });

    it('and closes in the middle of a fetch without a word about it', async () => {
      host = await TestHost.started();
      const fetching = new Promise<void>((begun) => {
        host.sabotagedImages = {
          fetch: (_digest, _file, signal) =>
            new Promise((_, reject) => {
              signal!.addEventListener('abort', () => reject(signal!.reason as Error));
              begun();
            }),
        };
      });
      const task = host.task(host.deployment());
      await host.send(task);
      await fetching;
      await host.agent.close();
      expect(host.bus.evidence).toEqual([]);
      host.sabotagedImages = {};
      await host.restart();
      expect((await host.answer(task.taskId)).observation).toMatchObject({ kind: 'deployed' });
    });
  });
});
