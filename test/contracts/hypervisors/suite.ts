/**
 * What every adapter keeps of the Hypervisor port, one test for one rule (numbers: the port's header). An adapter is held to all of it: the
 * only difference it may make is by a capability that it does not claim, and then the suite says what must be true instead.
 */
import { copyFile, open, readdir, readFile, stat, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  createHypervisor,
  GuestNotStarted,
  IncompatibleHotImage,
  NoSuchGuest,
  NotPaused,
  WrongEpoch,
  type GuestSpec,
  type HotImageFile,
  type Hypervisor,
  type VmmType,
} from '@vw/hypervisors';
import { silentLogger, systemClock, systemIds, systemRandom, systemTimers } from '@vw/runtime';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import {
  afterBeats,
  collectEvents,
  consoleOf,
  countingFrom,
  heartbeatsOf,
  layBenchTop,
  until,
  type BenchTop,
} from './bench-top.js';

export const deps = {
  clock: systemClock,
  timers: systemTimers,
  ids: systemIds,
  random: systemRandom,
  logger: silentLogger,
};

export function hypervisorContract(type: VmmType): void {
  describe(`the Hypervisor contract, kept by ${type}`, () => {
    let hypervisor: Hypervisor;
    let bench: BenchTop;
    let staged: GuestSpec[];

    beforeEach(async () => {
      hypervisor = createHypervisor(type, deps);
      bench = await layBenchTop();
      staged = [];
    });

    afterEach(async () => {
      await takeAllDown(hypervisor, staged);
      await bench.remove();
    });

    async function stage(workspaceId: string, changes?: Partial<GuestSpec>): Promise<GuestSpec> {
      const spec = await bench.spec(workspaceId, changes);
      await hypervisor.stage(spec);
      staged.push(spec);
      return spec;
    }

    async function startBeating(workspaceId: string, changes?: Partial<GuestSpec>): Promise<GuestSpec> {
      const spec = await stage(workspaceId, changes);
      await hypervisor.start(spec);
      await afterBeats(hypervisor, spec, 2);
      return spec;
    }

    /** A paused guest's hot image, the guest then taken down. */
    async function hotImageOf(spec: GuestSpec, name = 'state.hot'): Promise<{ image: HotImageFile; last: number }> {
      await hypervisor.pause(spec.workspaceId, spec.epoch);
      const last = (await heartbeatsOf(hypervisor, spec)).at(-1)!;
      const image = await hypervisor.serialise(spec.workspaceId, spec.epoch, join(bench.folder, name));
      await hypervisor.stop(spec.workspaceId, spec.epoch, 'hard', 0);
      return { image, last };
    }

    describe('start', () => {
      it('boots a guest that counts its heartbeats from 1 and was given its command line', async () => {
        const spec = await startBeating('w1');
        const beats = await heartbeatsOf(hypervisor, spec);
        expect(beats).toEqual(countingFrom(1, beats.length));
        expect(await consoleOf(hypervisor, spec)).toMatch(/^MB .*guest of w1\n/);
        expect(await hypervisor.observe('w1', 1)).toEqual({ power: 'running' });
      });

      it('asked twice, leaves one guest that never began anew', async () => {
        const spec = await startBeating('w1');
        await hypervisor.start(spec);
        const beats = await afterBeats(hypervisor, spec, 3);
        expect(beats).toEqual(countingFrom(1, beats.length));
      });

      it('of a paused guest lets that guest run on', async () => {
        const spec = await startBeating('w1');
        await hypervisor.pause('w1', 1);
        await hypervisor.start(spec);
        const beats = await afterBeats(hypervisor, spec, 2);
        expect(beats).toEqual(countingFrom(1, beats.length));
      });

      it('blames the image for a kernel that is none, after confirming that nothing runs (rule 3)', async () => {
        const spec = await stage('w1');
        await writeFile(spec.boot.file, Buffer.alloc(4096, 'not a kernel'));
        const refused = await hypervisor.start(spec).catch((error: unknown) => error);
        expect(refused).toBeInstanceOf(GuestNotStarted);
        expect(refused).toMatchObject({ stateIsBad: true });
        expect(await hypervisor.observe('w1', 1)).toEqual({ power: 'absent', cause: expect.any(String) as string });
      });

      it('does not blame the image for a kernel that is not there', async () => {
        const spec = await stage('w1', { boot: { kind: 'kernel', file: join(bench.folder, 'nowhere') } });
        const refused = await hypervisor.start(spec).catch((error: unknown) => error);
        expect(refused).toBeInstanceOf(GuestNotStarted);
        expect(refused).toMatchObject({ stateIsBad: false });
        expect(await hypervisor.observe('w1', 1)).toMatchObject({ power: 'absent' });
      });
    });

    describe('pause and unpause', () => {
      it('freezes the guest between two heartbeats, and lets it go on with the next', async () => {
        const spec = await startBeating('w1');
        const witness = await startBeating('w2');
        await hypervisor.pause('w1', 1);
        expect(await hypervisor.observe('w1', 1)).toEqual({ power: 'paused' });
        const frozen = await consoleOf(hypervisor, spec);
        await afterBeats(hypervisor, witness, 4);
        expect(await consoleOf(hypervisor, spec)).toBe(frozen);

        await hypervisor.unpause('w1', 1);
        expect(await hypervisor.observe('w1', 1)).toEqual({ power: 'running' });
        const beats = await afterBeats(hypervisor, spec, 3);
        expect(beats).toEqual(countingFrom(1, beats.length));
      });

      it('asked twice, have done what was asked', async () => {
        const spec = await startBeating('w1');
        await hypervisor.pause('w1', 1);
        await hypervisor.pause('w1', 1);
        expect(await hypervisor.observe('w1', 1)).toEqual({ power: 'paused' });
        await hypervisor.unpause('w1', 1);
        await hypervisor.unpause('w1', 1);
        expect(await hypervisor.observe('w1', 1)).toEqual({ power: 'running' });
        await afterBeats(hypervisor, spec, 1);
      });

      it('are refused where there is no guest', async () => {
        await stage('w1');
        const file = join(bench.folder, 'state.hot');
        await expect(hypervisor.pause('w1', 1)).rejects.toBeInstanceOf(NoSuchGuest);
        await expect(hypervisor.unpause('w1', 1)).rejects.toBeInstanceOf(NoSuchGuest);
        await expect(hypervisor.serialise('w1', 1, file)).rejects.toBeInstanceOf(NoSuchGuest);
        await expect(hypervisor.pause('never-heard-of', 1)).rejects.toBeInstanceOf(NoSuchGuest);
      });
    });

    describe('serialise', () => {
      it('is refused for a guest that runs', async () => {
        await startBeating('w1');
        const file = join(bench.folder, 'state.hot');
        await expect(hypervisor.serialise('w1', 1, file)).rejects.toBeInstanceOf(NotPaused);
        await expect(stat(file)).rejects.toMatchObject({ code: 'ENOENT' });
      });

      it('leaves the guest paused, and unpause lets it go on', async () => {
        const spec = await startBeating('w1');
        await hypervisor.pause('w1', 1);
        await hypervisor.serialise('w1', 1, join(bench.folder, 'state.hot'));
        expect(await hypervisor.observe('w1', 1)).toEqual({ power: 'paused' });
        await hypervisor.unpause('w1', 1);
        const beats = await afterBeats(hypervisor, spec, 3);
        expect(beats).toEqual(countingFrom(1, beats.length));
      });

      it('gives a hot image that goes on, in another directory, with the heartbeat after the last one', async () => {
        const { image, last } = await hotImageOf(await startBeating('w1'));
        expect(last).toBeGreaterThan(1);
        const elsewhere = await stage('w1', { directory: join(bench.folder, 'elsewhere'), epoch: 2 });
        await hypervisor.start(elsewhere, image);
        const beats = await afterBeats(hypervisor, elsewhere, 3);
        expect(beats).toEqual(countingFrom(last + 1, beats.length));
        expect(await consoleOf(hypervisor, elsewhere)).not.toContain('MB');
      });

      it('can be asked again of the same pause, for the same file or another, and every image is good', async () => {
        const spec = await startBeating('w1');
        await hypervisor.pause('w1', 1);
        const first = await hypervisor.serialise('w1', 1, join(bench.folder, 'a.hot'));
        await hypervisor.serialise('w1', 1, first.file);
        await hypervisor.serialise('w1', 1, join(bench.folder, 'b.hot'));
        const { image, last } = await hotImageOf(spec, 'c.hot');
        for (const file of ['a.hot', 'b.hot', 'c.hot']) {
          await hypervisor.start(spec, { ...image, file: join(bench.folder, file) });
          await afterBeats(hypervisor, spec, 1);
          await hypervisor.stop('w1', 1, 'hard', 0);
        }
        const firstAfter = (await heartbeatsOf(hypervisor, spec)).filter((beat) => beat === last + 1);
        expect(firstAfter).toHaveLength(3);
      });

      it('writes what the guest has become since the last hot image', async () => {
        const spec = await startBeating('w1');
        await hypervisor.pause('w1', 1);
        await hypervisor.serialise('w1', 1, join(bench.folder, 'a.hot'));
        await hypervisor.unpause('w1', 1);
        await afterBeats(hypervisor, spec, 3);
        const { image, last } = await hotImageOf(spec);
        await hypervisor.start(spec, image);
        expect((await afterBeats(hypervisor, spec, 1)).at(-1)).toBeGreaterThan(last);
      });

      it('leaves nothing unfinished behind', async () => {
        const { image } = await hotImageOf(await startBeating('w1'));
        const others = (await readdir(bench.folder)).filter(
          (name) => name.startsWith('state.hot') && join(bench.folder, name) !== image.file,
        );
        expect(others).toEqual([]);
      });
    });

    describe('a hot image that is not what was written', () => {
      it.each<[string, (file: string) => Promise<void>]>([
        ['empty', (file) => truncate(file, 0)],
        ['cut off in its header', (file) => truncate(file, 100)],
        ['cut off by one byte', async (file) => truncate(file, (await stat(file)).size - 1)],
        ['cut off in the middle', async (file) => truncate(file, Math.floor((await stat(file)).size / 2))],
        ['longer by one byte', (file) => flip(file, (size) => size)],
        ['flipped in its name', (file) => flip(file, () => 0)],
        ['flipped in its header', (file) => flip(file, () => 40)],
        ['flipped at the end of its header', (file) => flip(file, () => 4095)],
        ['flipped in its first byte of state', (file) => flip(file, () => 4096)],
        ['flipped in the middle', (file) => flip(file, (size) => Math.floor((size + 4096) / 2))],
        ['flipped in its last byte', (file) => flip(file, (size) => size - 1)],
      ])('%s: is called bad, and nothing runs', async (_how, spoil) => {
        const good = await sharedHotImage();
        const file = join(bench.folder, 'spoilt.hot');
        await copyFile(good.file, file);
        await spoil(file);
        const spec = await stage('w1');
        const refused = await hypervisor.start(spec, { ...good, file }).catch((error: unknown) => error);
        expect(refused).toBeInstanceOf(GuestNotStarted);
        expect(refused).toMatchObject({ stateIsBad: true });
        expect(await hypervisor.observe('w1', 1)).toMatchObject({ power: 'absent' });
        expect(await consoleOf(hypervisor, spec)).toBe('');
      });

      it.each<[string, Partial<HotImageFile>]>([
        ['another VMM', { vmmType: type === 'v86' ? 'qemu' : 'v86' }],
        ['another version', { vmmVersion: '0.0.1' }],
        ['another machine', { machine: 'abacus' }],
      ])('%s: is incompatible, and nothing runs', async (_what, changes) => {
        const spec = await stage('w1');
        await expect(hypervisor.start(spec, { ...(await sharedHotImage()), ...changes })).rejects.toBeInstanceOf(
          IncompatibleHotImage,
        );
        expect(await hypervisor.observe('w1', 1)).toMatchObject({ power: 'absent' });
      });

      it('of a machine of another size: is incompatible, and nothing runs', async () => {
        const spec = await stage('w1', { memoryMiB: 32 });
        await expect(hypervisor.start(spec, await sharedHotImage())).rejects.toBeInstanceOf(IncompatibleHotImage);
        expect(await hypervisor.observe('w1', 1)).toMatchObject({ power: 'absent' });
      });

      // One good image serves all: the tests spoil copies of it.
      let shared: { top: BenchTop; image: HotImageFile } | undefined;
      const sharedHotImage = async (): Promise<HotImageFile> => shared!.image;

      beforeAll(async () => {
        const maker = createHypervisor(type, deps);
        const top = await layBenchTop();
        const spec = await top.spec('maker');
        await maker.stage(spec);
        await maker.start(spec);
        await afterBeats(maker, spec, 1);
        await maker.pause('maker', 1);
        shared = { top, image: await maker.serialise('maker', 1, join(top.folder, 'good.hot')) };
        await takeAllDown(maker, [spec]);
      });

      afterAll(() => shared?.top.remove());
    });

    describe('stop', () => {
      it('gracefully lets the guest say goodbye, and it is absent afterwards', async () => {
        const spec = await startBeating('w1');
        await hypervisor.stop('w1', 1, 'graceful', 20_000);
        expect(await hypervisor.observe('w1', 1)).toMatchObject({ power: 'absent' });
        expect(await consoleOf(hypervisor, spec)).toMatch(/BYE\n$/);
      });

      it('gracefully reaches a paused guest too', async () => {
        const spec = await startBeating('w1');
        await hypervisor.pause('w1', 1);
        await hypervisor.stop('w1', 1, 'graceful', 20_000);
        expect(await hypervisor.observe('w1', 1)).toMatchObject({ power: 'absent' });
        expect(await consoleOf(hypervisor, spec)).toMatch(/BYE\n$/);
      });

      it('takes the power of a guest that has no time to say goodbye', async () => {
        await startBeating('w1');
        await hypervisor.stop('w1', 1, 'graceful', 0);
        expect(await hypervisor.observe('w1', 1)).toMatchObject({ power: 'absent' });
      });

      it('the hard way takes the power at once, from a paused guest as well', async () => {
        const running = await startBeating('w1');
        const paused = await startBeating('w2');
        await hypervisor.pause('w2', 1);
        for (const spec of [running, paused]) {
          await hypervisor.stop(spec.workspaceId, 1, 'hard', 0);
          expect(await hypervisor.observe(spec.workspaceId, 1)).toMatchObject({ power: 'absent' });
          expect(await consoleOf(hypervisor, spec)).not.toContain('BYE');
        }
      });

      it('of no guest at all is success', async () => {
        await stage('w1');
        await hypervisor.stop('w1', 1, 'hard', 0);
        await hypervisor.stop('w1', 1, 'graceful', 1000);
        await hypervisor.stop('never-heard-of', 7, 'hard', 0);
      });

      it('leaves a workspace that can be started anew', async () => {
        const spec = await startBeating('w1');
        await hypervisor.stop('w1', 1, 'hard', 0);
        const before = (await heartbeatsOf(hypervisor, spec)).length;
        await hypervisor.start(spec);
        expect((await afterBeats(hypervisor, spec, 2)).slice(before, before + 2)).toEqual([1, 2]);
      });

      it('is no event', async () => {
        await startBeating('w1');
        const heard = collectEvents(hypervisor);
        await hypervisor.stop('w1', 1, 'graceful', 20_000);
        const other = await startBeating('w2', { commandLine: 'beats=3' });
        await until('the end of w2', () => heard.events.length > 0);
        await heard.stop();
        expect(heard.events.map((event) => event.workspaceId)).toEqual([other.workspaceId]);
      });
    });

    describe('a guest of another epoch (rule 2)', () => {
      it.each([2, 4])('is refused to epoch %i by every verb, and lives on', async (asked) => {
        const spec = await startBeating('w1', { epoch: 3 });
        const theirs = { ...spec, epoch: asked };
        const file = join(bench.folder, 'state.hot');
        const verbs: [string, () => Promise<unknown>][] = [
          ['start', () => hypervisor.start(theirs)],
          ['pause', () => hypervisor.pause('w1', asked)],
          ['unpause', () => hypervisor.unpause('w1', asked)],
          ['serialise', () => hypervisor.serialise('w1', asked, file)],
          ['stop', () => hypervisor.stop('w1', asked, 'hard', 0)],
          ['undeploy', () => hypervisor.undeploy(theirs)],
          ['observe', () => hypervisor.observe('w1', asked)],
        ];
        for (const [verb, ask] of verbs) {
          const refused = await ask().catch((error: unknown) => error);
          expect(refused, verb).toBeInstanceOf(WrongEpoch);
          expect(refused, verb).toMatchObject({ asked, actual: 3 });
        }
        const beats = await afterBeats(hypervisor, spec, 2);
        expect(beats).toEqual(countingFrom(1, beats.length));
      });
    });

    describe('a guest that ends by itself', () => {
      it('is observed absent with a cause, and told of once, with its epoch', async () => {
        const heard = collectEvents(hypervisor);
        const spec = await stage('w1', { epoch: 5, commandLine: 'beats=3' });
        await hypervisor.start(spec);
        await until('an event', () => heard.events.length > 0);
        const seen = await hypervisor.observe('w1', 5);
        expect(seen).toEqual({ power: 'absent', cause: expect.any(String) as string });
        await expect(hypervisor.pause('w1', 5)).rejects.toBeInstanceOf(NoSuchGuest);
        await hypervisor.stop('w1', 5, 'graceful', 1000);
        await heard.stop();
        expect(heard.events).toEqual([
          { workspaceId: 'w1', epoch: 5, kind: 'exited', detail: expect.any(String) as string },
        ]);
        expect(await heartbeatsOf(hypervisor, spec)).toEqual([1, 2, 3]);
      });

      it('is told of once however often it is looked at meanwhile', async () => {
        const heard = collectEvents(hypervisor);
        const spec = await stage('w1', { commandLine: 'beats=1' });
        await hypervisor.start(spec);
        await until('its absence', async () => (await hypervisor.observe('w1', 1)).power === 'absent');
        await until('an event', () => heard.events.length > 0);
        await hypervisor.observe('w1', 1);
        await heard.stop();
        expect(heard.events).toHaveLength(1);
      });

      it('is told to every listener, and to none that has left', async () => {
        const staying = collectEvents(hypervisor);
        const leaving = collectEvents(hypervisor);
        await leaving.stop();
        const spec = await stage('w1', { commandLine: 'beats=1' });
        await hypervisor.start(spec);
        await until('an event', () => staying.events.length > 0);
        await staying.stop();
        expect(leaving.events).toEqual([]);
      });
    });

    describe('stage', () => {
      it('removes what an older epoch left, and nothing of the agent', async () => {
        const spec = await bench.spec('w1', { epoch: 2 });
        await writeFile(join(spec.directory, 'vmm-old-overlay'), 'left over');
        await writeFile(hypervisor.serialFile(spec.directory), 'HB 99\n');
        await hypervisor.stage(spec);
        staged.push(spec);
        expect(await readdir(spec.directory)).not.toContain('vmm-old-overlay');
        expect(await consoleOf(hypervisor, spec)).toBe('');
        expect(await readdir(spec.directory)).toContain('kernel');
      });

      it('asked twice, does not touch the guest in between', async () => {
        const spec = await startBeating('w1');
        await hypervisor.stage(spec);
        const beats = await afterBeats(hypervisor, spec, 2);
        expect(beats).toEqual(countingFrom(1, beats.length));
      });

      it('of a newer epoch ends the older guest, which its grant has made a leftover', async () => {
        const spec = await startBeating('w1');
        const newer = { ...spec, epoch: 2 };
        await hypervisor.stage(newer);
        staged = [newer];
        expect(await hypervisor.observe('w1', 2)).toMatchObject({ power: 'absent' });
        await hypervisor.start(newer);
        expect((await afterBeats(hypervisor, newer, 2)).slice(0, 2)).toEqual([1, 2]);
      });

      it('of an older epoch is refused', async () => {
        const spec = await stage('w1', { epoch: 2 });
        await expect(hypervisor.stage({ ...spec, epoch: 1 })).rejects.toBeInstanceOf(WrongEpoch);
      });
    });

    describe('undeploy', () => {
      it('ends the guest and removes all that the adapter kept, once or twice', async () => {
        const spec = await startBeating('w1');
        await hypervisor.undeploy(spec);
        await hypervisor.undeploy(spec);
        expect((await readdir(spec.directory)).filter((name) => name.startsWith('vmm-'))).toEqual([]);
        expect(await hypervisor.observe('w1', 1)).toMatchObject({ power: 'absent' });
        const silent = await consoleOf(hypervisor, spec);
        await startBeating('w2');
        expect(await consoleOf(hypervisor, spec)).toBe(silent);
      });
    });

    describe('an agent that begins anew', () => {
      it('finds its guests, running or paused, or the cause of their absence (rule 4)', async () => {
        const running = await startBeating('w1');
        const paused = await startBeating('w2');
        await hypervisor.pause('w2', 1);
        const stopped = await startBeating('w3');
        await hypervisor.stop('w3', 1, 'hard', 0);
        const never = await bench.spec('w4');
        const result = await hypervisor.probe();
        const livesOn = result.usable && result.profile.capabilities.includes('adopt');
        await hypervisor.close();

        hypervisor = createHypervisor(type, deps);
        const adopted = await hypervisor.adopt([running, paused, stopped, never]);
        const gone = { power: 'absent', cause: expect.any(String) as string };
        expect(adopted).toEqual([
          { workspaceId: 'w1', epoch: 1, observation: livesOn ? { power: 'running' } : gone },
          { workspaceId: 'w2', epoch: 1, observation: livesOn ? { power: 'paused' } : gone },
          { workspaceId: 'w3', epoch: 1, observation: { power: 'absent' } },
        ]);
        if (livesOn) await hypervisor.unpause('w2', 1);
        else for (const spec of [running, paused]) await hypervisor.start(spec);
        for (const spec of [running, paused]) {
          await hypervisor.start(spec);
          await afterBeats(hypervisor, spec, 2);
        }
        if (livesOn) {
          const beats = await heartbeatsOf(hypervisor, paused);
          expect(beats).toEqual(countingFrom(1, beats.length));
        }
      });

      it('is told by the marker of a guest at an older epoch than it asks for', async () => {
        const spec = await startBeating('w1');
        await hypervisor.close();
        hypervisor = createHypervisor(type, deps);
        const [adopted] = await hypervisor.adopt([{ ...spec, epoch: 2 }]);
        expect(adopted).toMatchObject({ workspaceId: 'w1', epoch: 1 });
      });
    });

    describe('probe', () => {
      it('boots the tiny guest, says what this VMM is, and leaves nothing behind', async () => {
        const result = await hypervisor.probe();
        expect(result).toMatchObject({ usable: true, profile: { type } });
        expect(result.detail).toContain('heartbeat');
        expect(await probeDirectories()).toEqual([]);
      });

      it('called off, is not usable and leaves nothing behind', async () => {
        expect(await hypervisor.probe(AbortSignal.abort())).toMatchObject({ usable: false });
        expect(await probeDirectories()).toEqual([]);
      });
    });

    it('keeps the console whole while its guest is paused, continued and serialised many times', async () => {
      const spec = await startBeating('w1');
      for (let round = 0; round < 8; round += 1) {
        await hypervisor.pause('w1', 1);
        if (round % 2 === 0) await hypervisor.serialise('w1', 1, join(bench.folder, 'state.hot'));
        await hypervisor.unpause('w1', 1);
      }
      const beats = await afterBeats(hypervisor, spec, 3);
      expect(beats).toEqual(countingFrom(1, beats.length));
      expect(await readFile(hypervisor.serialFile(spec.directory), 'utf8')).toMatch(/^MB [^\n]*\n(HB \d+\n)+$/);
    });
  });
}

/** A workspace staged again belongs to its last spec. */
async function takeAllDown(hypervisor: Hypervisor, specs: readonly GuestSpec[]): Promise<void> {
  const last = new Map(specs.map((spec) => [spec.workspaceId, spec]));
  for (const spec of last.values()) await hypervisor.undeploy(spec);
  await hypervisor.close();
}

/** Of this process: others may be at their own probes. */
async function probeDirectories(): Promise<string[]> {
  return (await readdir(tmpdir())).filter((name) => name.startsWith(`vw-probe-${process.pid}-`));
}

/** Changes one bit of the byte at a place that may depend on the file's size; just behind the end it adds a byte. */
async function flip(file: string, place: (size: number) => number): Promise<void> {
  const handle = await open(file, 'r+');
  try {
    const at = place((await handle.stat()).size);
    const byte = Buffer.alloc(1);
    await handle.read(byte, 0, 1, at);
    byte[0]! ^= 1;
    await handle.write(byte, 0, 1, at);
  } finally {
    await handle.close();
  }
}
