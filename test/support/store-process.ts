/** An event store as its users run it: `vw store serve` in a process of its own, which a test may kill and start again at the same address. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { packageRoot } from '@vw/runtime';

const entry = join(packageRoot(), 'bin/vw.mjs');

export class StoreProcess {
  #child: ChildProcess | undefined;
  #port = 0;
  #output = '';

  private constructor(private readonly data: string) {}

  /** Starts a store on a data folder, empty or not, at an address of its own. */
  static async start(data: string): Promise<StoreProcess> {
    const store = new StoreProcess(data);
    await store.restart();
    return store;
  }

  /** What leads a client to it; the same after every restart. */
  get connection(): string {
    return `esdb://127.0.0.1:${this.#port}?tls=false`;
  }

  /** Its process, while it is up. */
  get pid(): number | undefined {
    return this.#child?.pid;
  }

  /** Everything it wrote so far. */
  get output(): string {
    return this.#output;
  }

  /** `kill -9`, and waits until it is gone. */
  kill(): Promise<void> {
    return this.#end('SIGKILL');
  }

  /** Asks it to stop, and waits until it is gone. */
  stop(): Promise<void> {
    return this.#end('SIGTERM');
  }

  /** Starts it where it was; resolves when it serves. @throws Error with what it said when it ends instead */
  async restart(): Promise<void> {
    if (this.#child !== undefined) return;
    const address = `127.0.0.1:${this.#port}`;
    const child = spawn(process.execPath, [entry, 'store', 'serve', '--data', this.data, '--listen', address], {
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.#child = child;
    child.stderr.on('data', (chunk: Buffer) => (this.#output += chunk.toString()));
    this.#port = await new Promise<number>((resolve, reject) => {
      let said = '';
      child.stdout.on('data', (chunk: Buffer) => {
        said += chunk.toString();
        const found = /^LISTENING (\d+)$/m.exec(said)?.[1];
        if (found !== undefined) resolve(Number(found));
      });
      child.once('exit', (code) => reject(new Error(`the store ended with ${code}:\n${said}${this.#output}`)));
    });
  }

  async #end(signal: NodeJS.Signals): Promise<void> {
    const child = this.#child;
    this.#child = undefined;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const gone = once(child, 'exit');
    child.kill(signal);
    await gone;
  }
}
