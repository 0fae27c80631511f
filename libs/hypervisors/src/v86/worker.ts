/**
 * One v86 machine in one thread, so that a guest's instructions never hold up the agent's event loop, and ending the thread is taking the power.
 *
 * This file is loaded by Node itself, from the sources as well as from `dist/`: it imports nothing of ours and uses only syntax that can be erased.
 * What must stay true: a byte that the guest has sent is in the console's file before anything that came after it is told to the adapter.
 */
import { openSync, writeSync } from 'node:fs';
import { parentPort } from 'node:worker_threads';
import { V86 } from 'v86';
import type {} from './web-assembly.js';

/** What makes the thread a machine. */
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
  /** The thread stands, its VMM is loaded, and the order has come: what goes wrong from here on is the machine's. */
  | { readonly kind: 'begun' }
  | { readonly kind: 'running' }
  | { readonly kind: 'halted' }
  | { readonly kind: 'done'; readonly id: number; readonly state: ArrayBuffer | null }
  | { readonly kind: 'failed'; readonly id: number; readonly message: string };

/** v86 tells of a halt from which no interrupt can wake the processor, but not in its types. */
interface UntypedEvents {
  add_listener(event: 'cpu-event-halt', listener: () => void): void;
}

const VGA_BYTES = 1 << 20;

const agent = parentPort!;
const tell = (message: FromWorker, transfer: ArrayBuffer[] = []): void => agent.postMessage(message, transfer);

// The first message is the order; a thread waits for it with everything loaded. All later ones are acts on its machine.
agent.once('message', (order: MachineOrder) => {
  tell({ kind: 'begun' });
  const machine = powerOn(order);
  agent.on('message', ({ id, act }: ToWorker) => {
    perform(machine, act).then(
      (state) => tell({ kind: 'done', id, state }, state === null ? [] : [state]),
      (error: unknown) => tell({ kind: 'failed', id, message: error instanceof Error ? error.message : String(error) }),
    );
  });
});

function powerOn(order: MachineOrder): V86 {
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
  const writeConsole = keepConsole(machine, order.consoleFile);
  machine.add_listener('emulator-started', () => tell({ kind: 'running' }));
  (machine as unknown as UntypedEvents).add_listener('cpu-event-halt', () => {
    writeConsole();
    tell({ kind: 'halted' });
  });
  return machine;
}

/** Writes what the guest sends; synchronously, for the order of bytes and messages, which blocks only this thread. */
function keepConsole(machine: V86, file: string): () => void {
  const console = openSync(file, 'a');
  let unwritten: number[] = [];
  const write = (): void => {
    if (unwritten.length === 0) return;
    const bytes = Uint8Array.from(unwritten);
    unwritten = [];
    try {
      writeSync(console, bytes);
    } catch {
      // A full disk costs the console these bytes; it must not cost the guest its life.
    }
  };
  machine.add_listener('serial0-output-byte', (byte) => {
    // The rest of this slice of guest time sends its bytes first; then all are written, before anything else happens in this thread.
    if (unwritten.length === 0) queueMicrotask(write);
    unwritten.push(byte);
  });
  return write;
}

async function perform(machine: V86, act: Act): Promise<ArrayBuffer | null> {
  switch (act) {
    case 'freeze':
      await machine.stop();
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
