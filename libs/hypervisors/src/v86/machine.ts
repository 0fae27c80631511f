/** A v86 machine, seen from the agent's thread. Its power is its worker thread: no thread, no guest. */
import { extname } from 'node:path';
import { Worker } from 'node:worker_threads';
import { fileURLToPath } from 'node:url';
import type { Timers } from '@vw/runtime';
import { GuestNotStarted, ObservationImpossible } from '../errors.js';
import type { Ending, Machine } from '../ensuring/vmm.js';
import { HotImageWriter, type MachineShape } from '../files/hot-image.js';
import type { GuestObservation } from '../port.js';
import type { Act, FromWorker, MachineOrder, ToWorker } from './worker.js';

/** The worker's file beside this one, a source beside sources and a compiled file beside compiled ones. */
const WORKER = new URL(`worker${extname(fileURLToPath(import.meta.url))}`, import.meta.url);

/** v86 answers in milliseconds; a thread that is silent for this long on a busy host is stuck. */
const ANSWER_MS = 30_000;

interface Question {
  readonly resolve: (state: ArrayBuffer | null) => void;
  readonly reject: (error: Error) => void;
}

/** A thread with v86 loaded and no machine yet. */
export function newThread(): Worker {
  // The agent's own flags (an `--eval`, a debugger) are not the machine's, nor is its standard output.
  const worker = new Worker(WORKER, { execArgv: [], stdout: true, stderr: true });
  worker.stdout.resume();
  worker.stderr.resume();
  return worker;
}

export class V86Machine implements Machine {
  readonly ended: Promise<Ending>;
  #end!: (ending: Ending) => void;
  #power: GuestObservation = { power: 'running' };
  #begun = false;
  #lastId = 0;
  readonly #questions = new Map<number, Question>();

  private constructor(
    private readonly worker: Worker,
    private readonly shape: MachineShape,
    private readonly timers: Timers,
  ) {
    this.ended = new Promise((resolve) => (this.#end = resolve));
    worker.on('message', (message: FromWorker) => this.#hear(message));
    worker.on('error', (error) => this.#finish({ kind: 'crashed', detail: `v86 gave up: ${describe(error)}` }));
    worker.on('exit', () => this.#finish({ kind: 'vmm-died', detail: 'the thread of the machine ended' }));
  }

  /** @throws GuestNotStarted: the thread is gone. Its state is bad where the machine gave up on one; a guest that crashes as it boots has good bytes. */
  static async powerOn(worker: Worker, order: MachineOrder, shape: MachineShape, timers: Timers): Promise<V86Machine> {
    const machine = new V86Machine(worker, shape, timers);
    worker.postMessage(order);
    const over = new AbortController();
    const begun = await Promise.race([
      new Promise<'running'>((resolve) =>
        worker.on('message', ({ kind }: FromWorker) => kind === 'running' && resolve('running')),
      ),
      machine.ended,
      timers.sleep(ANSWER_MS, over.signal).then(() => 'silent' as const),
    ]);
    over.abort();
    if (begun === 'running') return machine;
    await machine.takePower();
    if (begun === 'silent') throw new GuestNotStarted(`v86 did not begin within ${ANSWER_MS} ms`, false);
    const continued = order.state !== null;
    throw new GuestNotStarted(begun.detail, continued && machine.#begun && begun.kind === 'crashed');
  }

  async observe(): Promise<GuestObservation> {
    return this.#power;
  }

  async freeze(): Promise<void> {
    await this.#ask('freeze');
    if (this.#power.power === 'running') this.#power = { power: 'paused' };
  }

  async unfreeze(): Promise<void> {
    await this.#ask('unfreeze');
    if (this.#power.power === 'paused') this.#power = { power: 'running' };
  }

  async save(file: string): Promise<void> {
    const state = await this.#ask('save');
    if (state === null) throw new Error('v86 answered a save without a state');
    const image = await HotImageWriter.open(file);
    try {
      await image.write(new Uint8Array(state));
      await image.seal(this.shape);
    } finally {
      await image.abandon();
    }
  }

  /** v86 has no power button; the byte `q` on the serial line is what this project's kernel guests listen to. */
  async askToShutDown(): Promise<void> {
    await this.#ask('askToShutDown');
  }

  async takePower(): Promise<void> {
    await this.worker.terminate();
    this.#finish({ kind: 'vmm-died', detail: 'its power was taken' });
  }

  async letGo(): Promise<void> {
    await this.takePower();
  }

  #hear(message: FromWorker): void {
    switch (message.kind) {
      case 'begun':
        this.#begun = true;
        return;
      case 'running':
        return;
      case 'halted':
        // Nothing can wake this processor again, but its thread would turn for ever.
        void this.worker.terminate();
        return this.#finish({ kind: 'exited', detail: 'the guest halted with interrupts off' });
      case 'done':
        return this.#answer(message.id)?.resolve(message.state);
      case 'failed':
        return this.#answer(message.id)?.reject(new Error(`v86: ${message.message}`));
    }
  }

  async #ask(act: Act): Promise<ArrayBuffer | null> {
    if (this.#power.power === 'absent') throw new ObservationImpossible(`the machine is gone: ${this.#power.cause}`);
    const id = ++this.#lastId;
    const answer = new Promise<ArrayBuffer | null>((resolve, reject) => this.#questions.set(id, { resolve, reject }));
    this.worker.postMessage({ id, act } satisfies ToWorker);
    const over = new AbortController();
    const late = this.timers.sleep(ANSWER_MS, over.signal).then(() => {
      this.#answer(id)?.reject(new ObservationImpossible(`v86 did not answer to ${act} within ${ANSWER_MS} ms`));
    });
    try {
      return await answer;
    } finally {
      over.abort();
      await late;
    }
  }

  #answer(id: number): Question | undefined {
    const question = this.#questions.get(id);
    this.#questions.delete(id);
    return question;
  }

  /** The first ending is the true one: those after it only follow from it. */
  #finish(ending: Ending): void {
    if (this.#power.power === 'absent') return;
    this.#power = { power: 'absent', cause: ending.detail };
    this.#end(ending);
    for (const id of this.#questions.keys())
      this.#answer(id)?.reject(new ObservationImpossible(`the machine is gone: ${ending.detail}`));
  }
}

function describe(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
