/** The service as users run it: the built program in a process of its own, on a data folder of its own, reached over HTTP. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { packageRoot } from '@vw/runtime';
import { Api } from './api.js';

const entry = join(packageRoot(), 'dist/apps/standalone/src/main.js');

export interface RunningService {
  readonly api: Api;
  readonly child: ChildProcess;
  /** Everything it wrote so far, both streams. */
  output(): string;
  /** kill -9, and waits until it is gone. */
  kill(): Promise<void>;
  /** Asks it to stop, and answers its exit code. */
  stop(): Promise<number | null>;
}

/** Starts the service and waits for its address; throws with its output when it ends before. */
export async function startService(data: string, environment: Record<string, string> = {}): Promise<RunningService> {
  if (!existsSync(entry)) throw new Error('the service is not built: npm run build');
  const child = spawn(process.execPath, ['--enable-source-maps', entry], {
    env: { ...process.env, VW_DATA: data, VW_HTTP_PORT: '0', VW_LOG_LEVEL: 'warn', ...environment },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  child.stderr?.on('data', (chunk: Buffer) => (output += chunk.toString()));
  const exited = once(child, 'exit');
  const address = new Promise<string | undefined>((resolve) => {
    child.stdout?.on('data', (chunk: Buffer) => {
      output += chunk.toString();
      const found = /ready on (http:\/\/\S+)/.exec(output)?.[1];
      if (found !== undefined) resolve(found);
    });
    void exited.then(() => resolve(undefined));
  });
  const url = await address;
  if (url === undefined) throw new ServiceDidNotStart(child.exitCode, output);
  return {
    api: new Api(url),
    child,
    output: () => output,
    async kill() {
      child.kill('SIGKILL');
      if (child.exitCode === null && child.signalCode === null) await exited;
    },
    async stop() {
      child.kill('SIGTERM');
      if (child.exitCode === null && child.signalCode === null) await exited;
      return child.exitCode;
    },
  };
}

export class ServiceDidNotStart extends Error {
  override readonly name = 'ServiceDidNotStart';
  constructor(
    readonly exitCode: number | null,
    readonly output: string,
  ) {
    super(`the service ended with ${exitCode} before it was ready:\n${output}`);
  }
}
