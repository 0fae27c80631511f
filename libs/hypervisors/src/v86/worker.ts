/**
 * One v86 machine in one thread, so that a guest's instructions never hold up the agent's event loop, and ending the thread is taking the power.
 *
 * This file is loaded by Node itself, from the sources as well as from `dist/`: it imports nothing of ours and uses only syntax that can be erased.
 * What must stay true: a byte that the guest has sent is in the console's file before anything that came after it is told to the adapter.
 */
import { openSync, writeSync } from 'node:fs';
import { parentPort, workerData } from 'node:worker_threads';
import { V86 } from 'v86';
import type {} from './web-assembly.js';

/** What the thread begins with. */
export interface MachineOrder {
  readonly wasm: WebAssembly.Module;
  readonly memoryBytes: number;
  readonly kernel: ArrayBuffer;
  readonly commandLine: string;
  /** The state to continue from; null boots the kernel. */
  readonly state: ArrayBuffer | null;
  readonly consoleFile: string;
}

export type Act = 'freeze' | 'unfreeze' | 'save' | 'askToShutDown';

export interface ToWorker {
  readonly id: number;
  readonly act: Act;
}

export type FromWorker =
  | { readonly kind: 'running' }
  | { readonly kind: 'halted' }
  | { readonly kind: 'done'; readonly id: number; readonly state: ArrayBuffer | null }
  | { readonly kind: 'failed'; readonly id: number; readonly message: string };

/** v86 tells of a halt from which no interrupt can wake the processor, but not in its types. */
interface UntypedEvents {
  add_listener(event: 'cpu-event-halt', listener: () => void): void;
}

const VGA_BYTES = 1 << 20;

const order = workerData as MachineOrder;
const agent = parentPort!;
const tell = (message: FromWorker, transfer: ArrayBuffer[] = []): void => agent.postMessage(message, transfer);

const consoleFile = openSync(order.consoleFile, 'a');
let unwritten: number[] = [];

/** Synchronous, for the order of bytes and messages; it blocks only this thread. */
function writeConsole(): void {
  if (unwritten.length === 0) return;
  writeSync(consoleFile, Uint8Array.from(unwritten));
  unwritten = [];
}

const machine = new V86({
  wasm_fn: async (imports) => (await WebAssembly.instantiate(order.wasm, imports)).exports,
  memory_size: order.memoryBytes,
  vga_memory_size: VGA_BYTES,
  multiboot: { buffer: order.kernel },
  cmdline: order.commandLine,
  ...(order.state === null ? {} : { initial_state: { buffer: order.state } }),
  autostart: true,
  disable_keyboard: true,
  disable_mouse: true,
  disable_speaker: true,
});

machine.add_listener('serial0-output-byte', (byte) => {
  // The rest of this slice of guest time sends its bytes first; then all are written at once.
  if (unwritten.length === 0) queueMicrotask(writeConsole);
  unwritten.push(byte);
});
machine.add_listener('emulator-started', () => tell({ kind: 'running' }));
(machine as unknown as UntypedEvents).add_listener('cpu-event-halt', () => {
  writeConsole();
  tell({ kind: 'halted' });
});

async function perform(act: Act): Promise<ArrayBuffer | null> {
  switch (act) {
    case 'freeze':
      await machine.stop();
      writeConsole();
      return null;
    case 'unfreeze':
      await machine.run();
      return null;
    case 'save':
      return machine.save_state();
    case 'askToShutDown':
      machine.serial0_send('q');
      return null;
  }
}

agent.on('message', ({ id, act }: ToWorker) => {
  perform(act).then(
    (state) => tell({ kind: 'done', id, state }, state === null ? [] : [state]),
    (error: unknown) => tell({ kind: 'failed', id, message: error instanceof Error ? error.message : String(error) }),
  );
});
