/**
 * The paper's VW Manager of one host: it takes tasks from the ledger, drives the VMM, and says what it saw.
 *
 * `new` → start → `open` → drain → `draining` (running work finishes, evidence is still sent) → close → `closed`. At every moment the process may
 * die instead: what was taken is in the journal, what was brought is in the workspaces' folders, and the next start takes it up.
 */
import { join } from 'node:path';
import type { CapacityReport } from '@vw/contracts';
import { ConsoleDesk } from './console/console.js';
import { type Counters, noneCounted } from './counters.js';
import { Outbox } from './evidence/outbox.js';
import { Heart } from './heartbeat/heartbeat.js';
import { Inventory } from './inventory/inventory.js';
import { Watch } from './inventory/watch.js';
import { Journal } from './journal/index.js';
import { type HostAgentOptions, type HostAgentPorts, withDefaults } from './options.js';
import { Intake } from './tasks/intake.js';
import { Performer } from './tasks/performer.js';
import { KeyedQueue } from './tasks/queue.js';
import { Workspaces } from './workspaces/index.js';

export interface HostAgent {
  /** Names this run of the agent; evidence is numbered within it. */
  readonly bootId: string;
  readonly counters: Readonly<Counters>;
  /**
   * Resolves when tasks are being taken; each workspace's own wait until its guest, if one lives on, is under control.
   * @throws JournalCorrupted, Node's own error when the folder cannot be used
   */
  start(): Promise<void>;
  /** Takes no more tasks, and resolves when those at work have ended; those that wait stay in the journal. */
  drain(): Promise<void>;
  /** Breaks off what can be broken off, and lets go of everything. The guests live on, if their VMM lets them. */
  close(): Promise<void>;
}

export function createHostAgent(options: HostAgentOptions, ports: HostAgentPorts): HostAgent {
  return new Agent(withDefaults(options), { ...ports, logger: ports.logger.child({ hostId: options.hostId }) });
}

interface Parts {
  readonly journal: Journal;
  readonly outbox: Outbox;
  readonly intake: Intake;
  readonly queue: KeyedQueue;
}

class Agent implements HostAgent {
  readonly bootId: string;
  readonly counters = noneCounted();
  readonly #closing = new AbortController();
  readonly #running: Promise<void>[] = [];
  #parts: Parts | undefined;
  #started: Promise<void> | undefined;
  #closed: Promise<void> | undefined;

  constructor(
    private readonly options: Required<HostAgentOptions>,
    private readonly ports: HostAgentPorts,
  ) {
    this.bootId = ports.ids.next();
  }

  start(): Promise<void> {
    this.#started ??= this.#start();
    return this.#started;
  }

  async drain(): Promise<void> {
    this.#parts?.intake.drain();
    await this.#parts?.queue.stop();
  }

  close(): Promise<void> {
    this.#closed ??= this.#close();
    return this.#closed;
  }

  async #start(): Promise<void> {
    const { options, ports, bootId, counters } = this;
    const { hostId, directory, evidenceRetryMs, maxParallel, heartbeatEveryMs } = options;
    const { bus, hypervisor, vmmProfile, images, clock, timers, logger } = ports;
    const closing = this.#closing.signal;

    const journal = await Journal.open(directory, logger);
    const workspaces = await Workspaces.open(join(directory, 'workspaces'));
    const means = { hypervisor, vmmProfile, images, workspaces, journal, logger };
    const queue = new KeyedQueue(maxParallel, timers, logger);
    const outbox = new Outbox(hostId, bootId, evidenceRetryMs, journal, bus, clock, timers, logger, counters, closing);
    const performer = new Performer(means, outbox, counters, closing);
    const intake = new Intake(hostId, bus, journal, outbox, performer, queue, timers, logger, counters);
    this.#parts = { journal, outbox, intake, queue };

    const heart = new Heart(hostId, bootId, this.#capacity(), heartbeatEveryMs, bus, clock, timers, logger);
    this.#running.push(heart.run(closing));
    outbox.resume();
    new ConsoleDesk(hostId, bus, hypervisor, workspaces, logger, counters).open(closing);
    // Listening begins before the inventory looks, so no end falls between the two.
    this.#running.push(new Watch(hypervisor, performer, queue, timers, logger).run(closing));
    await new Inventory(means, performer, queue).take();
    if (closing.aborted) return;
    intake.resume();
    this.#running.push(intake.run(closing));
    logger.info({ bootId, vmm: vmmProfile.type, open: journal.known.openTasks().length }, 'the agent takes tasks');
  }

  async #close(): Promise<void> {
    this.#closing.abort();
    await this.#started?.catch(() => undefined); // told to whoever started it
    await this.drain();
    await Promise.all(this.#running);
    await this.#parts?.outbox.finished();
    await this.#parts?.journal.close();
  }

  #capacity(): CapacityReport {
    const { type, version, accelerator, architectures, capabilities } = this.ports.vmmProfile;
    const vmm = { type, version, accelerator, architectures: [...architectures], capabilities: [...capabilities] };
    return { ...this.options.capacity, vmms: [vmm] };
  }
}
