/** The service as users run it: the built program in a process of its own, on a data folder of its own, reached over HTTP. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { packageRoot } from '@vw/runtime';
import { Api } from './api.js';
import { storeSettings } from './store-form.js';

const entry = join(packageRoot(), 'dist/apps/standalone/src/main.js');

export interface LaunchedService {
  readonly child: ChildProcess;
  /** Its interface, as soon as it has said its address; rejects with ServiceDidNotStart when it ends before. */
  readonly ready: Promise<Api>;
  /** Everything it wrote so far, both streams. */
  output(): string;
  /** kill -9, and waits until it is gone. */
  kill(): Promise<void>;
  /** Asks it to stop, and answers its exit code. */
  stop(): Promise<number | null>;
}

export interface RunningService extends LaunchedService {
  readonly api: Api;
}

/** Starts the service, on the store that the tests are run with, and waits for its address. @throws ServiceDidNotStart */
export async function startService(data: string, environment: Record<string, string> = {}): Promise<RunningService> {
  const launched = launchService(data, { ...(await storeSettings(data)), ...environment });
  return { ...launched, api: await launched.ready };
}

/** Starts the service, on the embedded store unless told, and waits for nothing. */
export function launchService(data: string, environment: Record<string, string> = {}): LaunchedService {
  if (!existsSync(entry)) throw new Error('the service is not built: npm run build');
  const child = spawn(process.execPath, ['--enable-source-maps', entry], {
    env: { ...process.env, VW_DATA: data, VW_HTTP_PORT: '0', VW_LOG_LEVEL: 'warn', ...environment },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  child.stderr?.on('data', (chunk: Buffer) => (output += chunk.toString()));
  const exited = once(child, 'exit');
  const ready = new Promise<Api>((resolve, reject) => {
    child.stdout?.on('data', (chunk: Buffer) => {
      output += chunk.toString();
      const found = /ready on (http:\/\/\S+)/.exec(output)?.[1];
      if (found !== undefined) resolve(new Api(found));
    });
    void exited.then(() => reject(new ServiceDidNotStart(child.exitCode, output)));
  });
  ready.catch(() => undefined); // told to whoever waits for it
  const end = async (signal: NodeJS.Signals) => {
    child.kill(signal);
    if (child.exitCode === null && child.signalCode === null) await exited;
    return child.exitCode;
  };
  return {
    child,
    ready,
    output: () => output,
    kill: async () => void (await end('SIGKILL')),
    stop: () => end('SIGTERM'),
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
