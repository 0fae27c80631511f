/**
 * A QEMU process, driven over QMP. It was started by this agent or by one that is no more: both are reached in the same way.
 *
 * What must stay true: absence is said only when the process is gone from the process table, whatever the connection says; and a process
 * whose guest can run no more (crashed inside, shut down) is ended before its guest is called absent.
 */
import { createReadStream } from 'node:fs';
import { readFile, rm } from 'node:fs/promises';
import { createConnection, createServer, type Socket } from 'node:net';
import { once } from 'node:events';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import type { Clock, Timers } from '@vw/runtime';
import { ObservationImpossible } from '../errors.js';
import type { Ending, Machine } from '../ensuring/vmm.js';
import { HEADER_BYTES, HotImageWriter, verifyHotImage, type MachineShape } from '../files/hot-image.js';
import { moveDurably } from '@vw/runtime';
import { giveSecondName } from '../files/second-name.js';
import { KEPT_PREFIX } from '../files/names.js';
import { isAlive, type ProcessIdentity } from '../files/process.js';
import type { GuestObservation } from '../port.js';
import { LOG_FILE } from './command-line.js';
import { QmpConnection, QmpSilence, type QmpEvent } from './qmp.js';
import { removeSockets, type GuestSockets } from './sockets.js';

const LOOK_EVERY_MS = 5;
/** QEMU listens milliseconds after its start; a busy host may take seconds. */
const CONNECT_MS = 20_000;
/** From `quit` to the end, with all disk writes given to the kernel; then it is killed. */
const QUIT_MS = 2_000;
/** After the last byte of a state has been sent: QEMU only has to notice that it is the last. */
const DIGEST_MS = 20_000;
/** A killed process may linger in the kernel for as long as its last write does. */
const KILLED_MS = 30_000;
/** Bytes per second for a state's way out: as fast as it goes. */
const NO_LIMIT = 2 ** 40;

/** A second name of this frozen machine's last hot image: QEMU writes a state out once, and again only after its guest has run. */
const LAST_SAVED = `${KEPT_PREFIX}last-saved`;

/** Everything that finds and describes one machine. */
export interface QemuMachineParts {
  readonly process: ProcessIdentity;
  readonly directory: string;
  readonly sockets: GuestSockets;
  readonly shape: MachineShape;
  readonly clock: Clock;
  readonly timers: Timers;
}

/** QEMU's answer to query-migrate; without a status it has never written a state. */
interface Migration {
  readonly status?: string;
  readonly 'error-desc'?: string;
}

export class QemuMachine implements Machine {
  readonly ended: Promise<Ending>;
  #end!: (ending: Ending) => void;
  #connection: QmpConnection | undefined;
  /** QEMU's own word on why it ends; without it, it did not end of its own will. */
  #lastWord: Ending | undefined;
  #letGo = false;

  private constructor(private readonly parts: QemuMachineParts) {
    this.ended = new Promise((resolve) => (this.#end = resolve));
  }

  /** A process that was alive a moment ago, and may be deaf: it is connected to when it is first asked. */
  static of(parts: QemuMachineParts): QemuMachine {
    return new QemuMachine(parts);
  }

  /** Takes control of a living process. @throws QmpSilence where it ends, or does not answer in time */
  static async control(parts: QemuMachineParts, withinMs = CONNECT_MS): Promise<QemuMachine> {
    const machine = new QemuMachine(parts);
    await machine.#connect(withinMs);
    return machine;
  }

  async observe(): Promise<GuestObservation> {
    if (!(await isAlive(this.parts.process))) return { power: 'absent', cause: (await this.#ending()).detail };
    const status = await this.#status();
    switch (status) {
      case undefined:
        return { power: 'absent', cause: (await this.#ending()).detail };
      case 'running':
        return { power: 'running' };
      case 'internal-error':
      case 'guest-panicked':
      case 'shutdown':
        // The process stands, its guest can run no more.
        this.#lastWord ??= {
          kind: status === 'shutdown' ? 'exited' : 'crashed',
          detail: `QEMU calls the guest ${status}`,
        };
        await this.takePower();
        return { power: 'absent', cause: this.#lastWord.detail };
      default:
        return { power: 'paused' };
    }
  }

  /** Whether it was begun with `-incoming` and has no state yet. */
  async awaitsState(): Promise<boolean> {
    return statusOf(await this.#execute('query-status')) === 'inmigrate';
  }

  async freeze(): Promise<void> {
    await this.#execute('stop');
  }

  async unfreeze(): Promise<void> {
    await rm(this.#lastSaved(), { force: true });
    await this.#execute('cont');
  }

  async save(file: string): Promise<void> {
    await this.#migrationOver();
    if ((await this.#status()) === 'postmigrate') {
      if (await this.#repeatLastSaved(file)) return;
      // An agent died when QEMU had written the state out, and before it was kept.
      await this.#runForAnInstant();
    }
    await this.#writeState(file);
    await giveSecondName(file, this.#lastSaved());
  }

  /** The ACPI power button. */
  async askToShutDown(): Promise<void> {
    await this.#execute('system_powerdown');
  }

  async takePower(): Promise<void> {
    if (!(await this.#goneWithin(0)) && !(await this.#quit())) {
      kill(this.parts.process.pid);
      if (!(await this.#goneWithin(KILLED_MS))) {
        throw new ObservationImpossible(`QEMU (process ${this.parts.process.pid}) is killed and has not gone`);
      }
    }
    this.#connection?.close();
    await removeSockets(this.parts.sockets);
    this.#end(await this.#ending());
  }

  /** @returns whether QEMU went when it was told to; one that cannot be told did not */
  async #quit(): Promise<boolean> {
    const connection = this.#connection;
    if (connection === undefined) return false;
    void connection.execute('quit').catch(() => undefined); // gone before it answered, or deaf: the process table tells which
    return this.#goneWithin(QUIT_MS);
  }

  async letGo(): Promise<void> {
    this.#letGo = true;
    this.#connection?.close();
  }

  /** Gives the machine, begun with `-incoming`, its state. @throws QmpSilence where QEMU ends over it */
  async receiveState(file: string): Promise<void> {
    // QEMU closes its end as soon as it has read enough, or ends: what it made of the state is asked of it, not of the socket.
    await pipeline(createReadStream(file, { start: HEADER_BYTES }), createConnection(this.parts.sockets.state)).catch(
      () => undefined,
    );
    const { clock, timers } = this.parts;
    for (const sent = clock.monotonic(); await this.awaitsState();) {
      if (clock.monotonic() - sent > DIGEST_MS)
        throw new QmpSilence(`QEMU did not take the state in within ${DIGEST_MS} ms`);
      await timers.sleep(LOOK_EVERY_MS);
    }
  }

  /** What QEMU wrote before it ended, for people. */
  async lastWords(): Promise<string> {
    return lastLines(await readFile(join(this.parts.directory, LOG_FILE), 'utf8').catch(() => ''));
  }

  async #writeState(file: string): Promise<void> {
    const { sockets, shape, timers } = this.parts;
    await rm(sockets.state, { force: true });
    const image = await HotImageWriter.open(file);
    const server = createServer();
    try {
      await once(server.listen(sockets.state), 'listening');
      const written = writeStream(once(server, 'connection'), image);
      await Promise.all([written, this.#migrate(`unix:${sockets.state}`)]);
      // Until then QEMU still holds the guest and would refuse to continue it.
      while ((await this.#status()) === 'finish-migrate') await timers.sleep(LOOK_EVERY_MS);
      await image.seal(shape);
    } finally {
      server.close();
      await image.abandon();
      await rm(sockets.state, { force: true });
    }
  }

  async #migrate(uri: string): Promise<void> {
    await this.#execute('migrate-set-parameters', { 'max-bandwidth': NO_LIMIT });
    await this.#execute('migrate', { uri });
    for (;;) {
      const migration = await this.#migration();
      if (migration.status === 'completed') return;
      if (migration.status === 'failed' || migration.status === 'cancelled') {
        throw new Error(`QEMU could not write the guest's state: ${migration['error-desc'] ?? migration.status}`);
      }
      await this.parts.timers.sleep(LOOK_EVERY_MS);
    }
  }

  async #migration(): Promise<Migration> {
    return (await this.#execute('query-migrate')) as Migration;
  }

  /** QEMU may still be writing to an agent that is gone: it refuses to begin anew until it has noticed that. */
  async #migrationOver(): Promise<void> {
    const { clock, timers } = this.parts;
    for (const begun = clock.monotonic(); ;) {
      const { status } = await this.#migration();
      const over = status === undefined || ['completed', 'failed', 'cancelled'].includes(status);
      if (over && (await this.#status()) !== 'finish-migrate') return;
      if (clock.monotonic() - begun > DIGEST_MS)
        throw new QmpSilence(`QEMU did not leave off writing a state that nobody reads within ${DIGEST_MS} ms`);
      await timers.sleep(LOOK_EVERY_MS);
    }
  }

  /**
   * QEMU writes a state out once, and again only after its guest has run. Both commands are on their way before either is answered, so that nothing
   * comes between them, not even the end of this agent; what the guest does in that instant is in its state.
   */
  async #runForAnInstant(): Promise<void> {
    await Promise.all([this.#execute('cont'), this.#execute('stop')]);
  }

  /** Answers whether the last saved state is still there, whole. */
  async #repeatLastSaved(file: string): Promise<boolean> {
    const last = this.#lastSaved();
    const isWhole = await verifyHotImage({ file: last, ...this.parts.shape }, this.parts.shape).then(
      () => true,
      () => false,
    );
    if (!isWhole) return false;
    const unfinished = `${file}.unfinished`;
    await giveSecondName(last, unfinished);
    await moveDurably(unfinished, file);
    return true;
  }

  #lastSaved(): string {
    return join(this.parts.directory, LAST_SAVED);
  }

  /** QEMU's run state; undefined when its process has gone while it was asked. @throws ObservationImpossible */
  async #status(): Promise<string | undefined> {
    try {
      return statusOf(await this.#execute('query-status'));
    } catch (cause) {
      if (await this.#goneWithin(0)) return undefined;
      throw new ObservationImpossible(`QEMU (process ${this.parts.process.pid}) lives and does not answer`, { cause });
    }
  }

  /** Over the connection there is, or over a new one where it was lost. */
  async #execute(command: string, args?: Readonly<Record<string, unknown>>): Promise<unknown> {
    const connection = this.#connection ?? (await this.#connect(CONNECT_MS));
    return connection.execute(command, args);
  }

  async #connect(withinMs: number): Promise<QmpConnection> {
    const { clock, timers, sockets, process } = this.parts;
    for (const begun = clock.monotonic(); ;) {
      try {
        const connection = await QmpConnection.open(sockets.control, timers, (event) => this.#hear(event));
        this.#connection = connection;
        void connection.closed.then(() => this.#lost(connection));
        return connection;
      } catch (error) {
        if (!(error instanceof QmpSilence) || clock.monotonic() - begun > withinMs || !(await isAlive(process)))
          throw error;
        await timers.sleep(LOOK_EVERY_MS);
      }
    }
  }

  /** The connection ended: because QEMU did, or for no good reason; then the next act makes a new one. */
  async #lost(connection: QmpConnection): Promise<void> {
    if (this.#connection === connection) this.#connection = undefined;
    if (this.#letGo || !(await this.#goneWithin(QUIT_MS))) return;
    await removeSockets(this.parts.sockets);
    this.#end(await this.#ending());
  }

  #hear({ event, data }: QmpEvent): void {
    if (event === 'GUEST_PANICKED') this.#lastWord ??= { kind: 'crashed', detail: 'the guest panicked' };
    if (event !== 'SHUTDOWN') return;
    void this.#seeOut();
    const reason = String(data?.['reason']);
    switch (reason) {
      case 'guest-shutdown':
        this.#lastWord ??= { kind: 'exited', detail: 'the guest shut itself down' };
        return;
      case 'guest-reset':
        this.#lastWord ??= { kind: 'crashed', detail: 'the guest reset its processor, by a triple fault or a reboot' };
        return;
      default:
        this.#lastWord ??= { kind: 'vmm-died', detail: `QEMU ended: ${reason}` };
    }
  }

  /**
   * After SHUTDOWN no guest is left and QEMU is on its way out. A question that reaches QEMU 7.2 on that way can make it wait for its own monitor
   * for ever (in monitor_cleanup), alive and deaf: one that has not gone in time is ended.
   */
  async #seeOut(): Promise<void> {
    if (!(await this.#goneWithin(QUIT_MS)) && !this.#letGo) kill(this.parts.process.pid);
  }

  async #ending(): Promise<Ending> {
    return (
      this.#lastWord ?? {
        kind: 'vmm-died',
        detail: ['QEMU is gone', await this.lastWords()].filter(Boolean).join(': '),
      }
    );
  }

  async #goneWithin(ms: number): Promise<boolean> {
    const { clock, timers, process } = this.parts;
    for (const begun = clock.monotonic(); ;) {
      if (!(await isAlive(process))) return true;
      if (clock.monotonic() - begun >= ms) return false;
      await timers.sleep(LOOK_EVERY_MS);
    }
  }
}

export function lastLines(log: string): string {
  return log.trim().split('\n').slice(-3).join('; ');
}

async function writeStream(connection: Promise<unknown[]>, image: HotImageWriter): Promise<void> {
  const [socket] = await connection;
  for await (const bytes of socket as Socket) await image.write(bytes as Buffer);
}

function statusOf(answer: unknown): string {
  return (answer as { readonly status: string }).status;
}

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It went by itself; the process table is asked next.
  }
}
