/** A host to try an agent on: real files, the real image repository, simulated guests, and a process that can be killed at any call. */
import { mkdtempSync, rmSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Evidence, Observation, Task, WireImage, Work } from '@vw/contracts';
import { buildHeartbeatGuest, createHypervisor, type Hypervisor, type VmmProfile } from '@vw/hypervisors';
import { type ImageRepository, openDirectoryRepository } from '@vw/images';
import { type Logger, silentLogger, systemClock, systemIds, systemRandom, systemTimers } from '@vw/runtime';
import { createHostAgent, type HostAgent } from '../src/index.js';
import { BusDouble } from './bus.js';
import { type Death, Life } from './mortal.js';

export const HOST = 'h1';
export const WORKSPACE = 'w1';

const profile: VmmProfile = {
  type: 'simulated',
  version: '1',
  accelerator: 'none',
  architectures: ['i386'],
  capabilities: ['pause', 'hot-image', 'adopt', 'serial-console'],
};

/** The killed ones too: collected as garbage, their open files would be complained of. */
const everyAgent: HostAgent[] = [];

/** Overrides some verbs of the hypervisor, to make it fail. */
export type Sabotage = Partial<Hypervisor>;

export class TestHost {
  readonly directory = mkdtempSync(join(tmpdir(), 'vw-agent-'));
  readonly bus = new BusDouble(HOST);
  /** Stays in place over restarts. */
  sabotage: Sabotage = {};
  sabotagedImages: Partial<ImageRepository> = {};
  logger: Logger = silentLogger;
  /** How the next lives end. */
  deaths: Death[] = [];
  /** Guests die with the agent's process, as v86's do. */
  guestsAreMortal = false;
  life!: Life;
  agent!: HostAgent;
  images!: ImageRepository;
  kernel!: WireImage;
  disk!: WireImage;
  #hypervisor!: Hypervisor;
  #lastTask = 0;
  #reborn: Promise<void> = Promise.resolve();

  static async prepare(): Promise<TestHost> {
    const host = new TestHost();
    host.images = await openDirectoryRepository({ directory: join(host.directory, 'images'), clock: systemClock });
    host.kernel = await host.putImage('kernel', buildHeartbeatGuest());
    host.disk = await host.putImage('disk', Buffer.concat([buildHeartbeatGuest(), Buffer.from('a disk')]));
    return host;
  }

  static async started(): Promise<TestHost> {
    const host = await TestHost.prepare();
    await host.start();
    return host;
  }

  /** A new process on the same disk. Resolves when its agent takes tasks. */
  async start(): Promise<void> {
    const deps = {
      clock: systemClock,
      timers: systemTimers,
      ids: systemIds,
      random: systemRandom,
      logger: silentLogger,
    };
    const hypervisor = createHypervisor('simulated', deps);
    this.#hypervisor = hypervisor;
    const life = new Life(this.deaths.shift(), () => (this.#reborn = this.#rise(hypervisor)));
    this.life = life;
    const verbs = ['stage', 'start', 'pause', 'unpause', 'serialise', 'stop', 'undeploy', 'observe', 'adopt'] as const;
    const images = sabotaged(this.images, () => this.sabotagedImages);
    this.agent = createHostAgent(
      {
        hostId: HOST,
        directory: this.dataFolder,
        capacity: { cpus: 4, memoryMiB: 4096, diskMiB: 10_000 },
        heartbeatEveryMs: 60_000,
        evidenceRetryMs: 20,
      },
      {
        bus: life.share('bus', this.bus, ['publish']),
        hypervisor: life.share(
          'hypervisor',
          sabotaged(hypervisor, () => this.sabotage),
          verbs,
        ),
        vmmProfile: profile,
        images: life.share('images', images, ['fetch', 'put']),
        clock: systemClock,
        timers: life.share('timers', systemTimers, []),
        ids: systemIds,
        logger: this.logger,
      },
    );
    everyAgent.push(this.agent);
    await Promise.race([this.agent.start(), aborted(life.over.signal)]);
  }

  /** The process is gone at once; the disk stays, and so do guests that outlive it. */
  async kill(): Promise<void> {
    this.life.over.abort();
    await this.#buryProcess(this.#hypervisor);
  }

  async restart(): Promise<void> {
    await this.kill();
    await this.start();
  }

  async dispose(): Promise<void> {
    await this.#reborn;
    if (!this.life.isOver) await this.agent.close();
    await this.#hypervisor.close();
    rmSync(this.directory, { recursive: true });
    if (this.bus.malformed.length > 0) throw new Error(`no ledger would take this: ${this.bus.malformed.join('; ')}`);
  }

  get dataFolder(): string {
    return join(this.directory, 'host');
  }

  workspaceFile(name: string, workspaceId = WORKSPACE): string {
    return join(this.dataFolder, 'workspaces', workspaceId, name);
  }

  async putImage(kind: 'kernel' | 'disk', bytes: Uint8Array): Promise<WireImage> {
    const file = join(this.directory, 'fresh.img');
    await writeFile(file, bytes);
    const { digest, name } = await this.images.put(file, { kind, name: `a-${kind}` });
    return { kind, digest, name };
  }

  deployment(image: WireImage = this.kernel, commandLine = ''): Work {
    return { kind: 'deploy', image, machine: { memoryMiB: 16, cpus: 1, commandLine }, addresses: [] };
  }

  task(work: Work, part: Partial<Task> = {}): Task {
    const taskId = `t${(this.#lastTask += 1)}`;
    return { taskId, workspaceId: WORKSPACE, hostId: HOST, epoch: 1, issuedAt: 1, deadline: 2, work, ...part };
  }

  send(task: Task): Promise<unknown> {
    return this.bus.deliver({ type: 'task', task });
  }

  /** Sends the task as a ledger does, again with every life of the agent, and resolves with its evidence. */
  async perform(work: Work, part: Partial<Task> = {}): Promise<Observation> {
    const task = this.task(work, part);
    const seen = this.answer(task.taskId);
    const answered = new AbortController();
    void seen.finally(() => answered.abort());
    while (!answered.signal.aborted) {
      await this.#reborn;
      const { life } = this;
      await Promise.race([this.send(task), aborted(life.over.signal)]);
      await Promise.race([seen, aborted(life.over.signal)]);
    }
    return (await seen).observation;
  }

  answer(taskId: string): Promise<Evidence> {
    return this.bus.until(() => this.bus.evidence.find(({ requestId }) => requestId === taskId));
  }

  /** Evidence that answers nothing, after the first `skip` of it. */
  unasked(skip = 0): Promise<Evidence> {
    return this.bus.until(() => this.bus.evidence.filter(({ requestId }) => requestId === undefined)[skip]);
  }

  /** What the VMM itself says, past the agent. */
  async power(epoch = 1): Promise<string> {
    return (await this.#hypervisor.observe(WORKSPACE, epoch)).power;
  }

  async #rise(hypervisor: Hypervisor): Promise<void> {
    await this.#buryProcess(hypervisor);
    await this.start();
  }

  async #buryProcess(hypervisor: Hypervisor): Promise<void> {
    this.bus.hangUp();
    await hypervisor.close();
    if (this.guestsAreMortal) rmSync(this.workspaceFile('vmm-simulated-machine.json'), { force: true });
  }
}

function sabotaged<T extends object>(port: T, sabotage: () => Partial<T>): T {
  return new Proxy(port, {
    get(target, key) {
      const value: unknown = Reflect.get(sabotage(), key) ?? Reflect.get(target, key);
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
}

async function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return;
  await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
}
