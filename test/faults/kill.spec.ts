/**
 * `kill -9` of the service at every stage of the demo and of its own start-up, at moments chosen by chance, and what is there when it stands again. With the
 * store in another process that is killed as well: under a service that runs, which must outlive it, and before one that starts, which must wait for it.
 *
 * VW_TEST_KILLS says how many kills of the service (`npm run kills`: 200, and then no stage may have been missed), VW_TEST_SEED which moments.
 */
import { execFile } from 'node:child_process';
import { randomInt } from 'node:crypto';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { packageRoot } from '@vw/runtime';
import { describe, expect, it } from 'vitest';
import { requireServer } from '../support/provisioned.js';
import { type Api, StoreAway, until } from '../support/api.js';
import { type LaunchedService, launchService, ServiceDidNotStart } from '../support/service-process.js';
import { storeForm } from '../support/store-form.js';
import { StoreProcess } from '../support/store-process.js';
import { temporaryFolder } from '../support/temporary.js';
import { Chance } from './chance.js';
import { Examination, type Wreck } from './examination.js';
import { guestProcesses } from './guests.js';
import { Hunt, stages, startUp } from './hunt.js';
import { Life } from './life.js';

const run = promisify(execFile);
const rebuild = join(packageRoot(), 'dist/apps/standalone/src/rebuild.js');
/** What runs the guest is no business of the store's: on another store one will do, and as many kills as it has on the embedded one. */
const guests = requireServer('qemu-system-x86_64') ? ['v86', 'qemu'] : ['v86'];
const hypervisors = storeForm === 'embedded' ? guests : ['v86'];

const kills = Math.ceil(Number(process.env.VW_TEST_KILLS ?? 24) / guests.length);
const seed = Number(process.env.VW_TEST_SEED ?? randomInt(2 ** 31));
/** A kill, a start and what is done between them take a few seconds; a busy machine may need several times that. */
const timeout = 60_000 + kills * 20_000;
/** From so many kills on, none of the stages can be missed by bad luck. */
const enoughForEachStage = 100;
/** After how many kills the views that a kill has left are compared with what the log makes of them. */
const rebuildEvery = 10;

/** How likely a run of the service is to lose its store on the way, and to be started before its store. */
const storeKilled = 0.6;
const storeLate = 0.3;
/** At most so long a killed store stays away. */
const longestAwayMs = 2000;
/** How soon after its store a service takes commands again. */
const backWithinMs = 15_000;

/** After how many kills a person who waits for hundreds of them is told. */
const tellEvery = 25;

describe(`a service on the ${storeForm} store that is killed`, () => {
  it.concurrent.for(hypervisors)(
    'loses nothing that it has acknowledged, on %s',
    { timeout },
    async (hypervisor, test) => {
      const folder = await temporaryFolder('kill', test.onTestFinished);
      test.onTestFinished(() => endGuests(folder));
      const store = storeForm === 'embedded' ? undefined : await StoreProcess.start(join(folder, 'store'));
      test.onTestFinished(() => store?.kill());
      const trial = new Trial(folder, hypervisor, store);
      try {
        for (let n = 1; n <= kills; n += 1) {
          await trial.kill();
          if (n % tellEvery === 0) process.stdout.write(`${n} of ${kills} kills on ${hypervisor}\n`);
        }
        await trial.end();
      } catch (cause) {
        throw new Error(`VW_TEST_SEED=${seed} on ${hypervisor}: ${trial.story()}`, { cause });
      }
      process.stdout.write(
        `${kills} kills on ${hypervisor}${trial.storeKills()}: ${JSON.stringify(trial.hunt.histogram)}\n`,
      );
      if (kills < enoughForEachStage) return;
      expect(
        stages.filter((stage) => trial.hunt.histogram[stage] === 0),
        'stages that were never hit',
      ).toEqual([]);
    },
  );
});

class Trial {
  readonly hunt: Hunt;
  readonly #life: Life;
  readonly #examination: Examination;
  readonly #data: string;
  readonly #environment: Record<string, string>;
  /** What was made since the service was last judged. */
  #wrecks: Wreck[] = [];
  #killed = 0;
  #storeKilled = 0;
  #words = '';

  constructor(
    private readonly folder: string,
    hypervisor: string,
    private readonly store: StoreProcess | undefined,
  ) {
    const guestsSurvive = hypervisor === 'qemu';
    this.hunt = new Hunt(new Chance(seed + guests.indexOf(hypervisor)));
    this.#life = new Life(guestsSurvive, this.hunt);
    this.#examination = new Examination(folder, this.#life, guestsSurvive);
    this.#data = join(folder, 'data');
    this.#environment = {
      VW_HYPERVISOR: hypervisor,
      VW_GRACE_SECONDS: '1',
      TMPDIR: join(folder, 'tmp'),
      ...(store && { VW_STORE: store.connection }),
    };
  }

  /** For the report of a failure. */
  story(): string {
    const words = [this.#words, ...(this.store ? ['the store said:', this.store.output] : [])].join('\n');
    return `${this.#killed} kills${this.storeKills()} ${JSON.stringify(this.hunt.histogram)}; the service said:\n${words}`;
  }

  storeKills(): string {
    return this.store === undefined ? '' : ` and ${this.#storeKilled} of the store`;
  }

  /** Starts the service, judges what it makes of the data, lets it live on, and kills it at some moment of all that. */
  async kill(): Promise<void> {
    const storeBack = this.#mislayStore();
    const service = await this.#launch();
    const pursuit = this.hunt.pursue(() => service.kill());
    let ready = false;
    try {
      const began = performance.now();
      pursuit.during(startUp);
      const api = await service.ready;
      ready = true;
      this.hunt.learn(startUp, performance.now() - began);
      await this.#judge(api);
      if (pursuit.over === undefined) await this.#killStoreUnder(api);
      while (pursuit.over === undefined) await this.#life.step(api, pursuit);
    } catch (error) {
      if (pursuit.struckAt === undefined || !isSilence(error)) throw error;
    } finally {
      this.#words = service.output();
      await (pursuit.over ?? service.kill());
      await storeBack;
    }
    this.#killed += 1;
    const survivors = await this.#examination.survivors();
    this.#wrecks.push({ struckAt: pursuit.struckAt ?? 0, ready, survivors });
    if (this.#killed % rebuildEvery === 0) await this.#expectRebuildEqual();
  }

  /** Starts the service once more, takes the workspace back from its host, and stops in order. */
  async end(): Promise<void> {
    const service = await this.#launch();
    try {
      const api = await service.ready;
      await this.#judge(api);
      await this.#life.takeBack(api);
      expect(await service.stop(), 'the exit code').toBe(0);
    } finally {
      this.#words = service.output();
      await service.kill();
    }
    expect(await guestProcesses(this.folder), 'QEMU after the workspace was taken back').toEqual([]);
    await this.#expectRebuildEqual();
  }

  async #launch(): Promise<LaunchedService> {
    await mkdir(join(this.folder, 'tmp'), { recursive: true });
    return launchService(this.#data, this.#environment);
  }

  /** Sometimes the store is gone when the service starts, and comes back meanwhile. */
  async #mislayStore(): Promise<void> {
    const { chance } = this.hunt;
    if (this.store === undefined || chance.next() > storeLate) return;
    await this.#killStore(this.store, chance.next() * longestAwayMs);
  }

  /** Sometimes the store is gone for a while under a service that runs: it goes on where it was, and so does its guest. */
  async #killStoreUnder(api: Api): Promise<void> {
    const { store, hunt } = this;
    if (store === undefined || hunt.chance.next() > storeKilled) return;
    await this.#life.catchUp(api);
    const awayMs = hunt.chance.next() * longestAwayMs;
    const pursuit = hunt.pursue(() => this.#killStore(store, awayMs));
    while (pursuit.over === undefined) {
      await this.#life.step(api, pursuit).catch((error: unknown) => {
        if (pursuit.struckAt === undefined || !(error instanceof StoreAway)) throw error;
      });
    }
    await pursuit.over;
    await until(backWithinMs, 'commands are taken again', async () =>
      (await api.get('/readyz')).status === 200 ? true : undefined,
    );
    await this.#examination.judgeUndisturbed(api);
  }

  async #killStore(store: StoreProcess, awayMs: number): Promise<void> {
    await store.kill();
    this.#storeKilled += 1;
    await sleep(awayMs);
    await store.restart();
  }

  async #judge(api: Api): Promise<void> {
    for (const stage of await this.#examination.judge(api, this.#wrecks)) this.hunt.count(stage);
    this.#wrecks = [];
  }

  /** Invariant I11, on the views as the kill has left them. */
  async #expectRebuildEqual(): Promise<void> {
    const env = { ...process.env, ...this.#environment, VW_DATA: this.#data };
    const { stdout } = await run(process.execPath, [rebuild], { env });
    expect(stdout).toContain('the same as before');
  }
}

/** Whether a request failed because the service was gone, and for no other reason. */
function isSilence(error: unknown): boolean {
  if (error instanceof ServiceDidNotStart) return true;
  if (error instanceof TypeError && /fetch failed|terminated/.test(error.message)) return true;
  return error instanceof Error && error.cause !== undefined && isSilence(error.cause);
}

async function endGuests(folder: string): Promise<void> {
  for (const { pid } of await guestProcesses(folder)) process.kill(pid, 'SIGKILL');
}
