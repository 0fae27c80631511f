/** The embedded log behind EventStoreDB's protocol in a process of its own, as `vw store serve` makes it. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { packageRoot } from '@vw/runtime';
import type { Server } from './server.js';

export interface FacadeProcess extends Server {
  readonly port: number;
  readonly child: ChildProcess;
  /** Memory that the process holds now, in bytes, as the kernel counts it. */
  residentBytes(): Promise<number>;
  /** What it has said on standard error. */
  complaints(): string;
  /** `kill -9`; its folder stays, as after `terminate`. */
  kill(): Promise<void>;
  /** SIGTERM, and its exit code. */
  terminate(): Promise<number | null>;
}

export interface FacadeSettings {
  /** The data folder; a new one, removed by `stop`, unless given. */
  readonly data?: string;
  readonly listen?: string;
  readonly tls?: { readonly certificate: string; readonly key: string; readonly authority: string };
  /** `name:password`; the first is an administrator. */
  readonly users?: readonly string[];
}

/** @throws Error with what it said when it ended instead of listening */
export async function startFacade(settings: FacadeSettings = {}): Promise<FacadeProcess> {
  const { tls, users = [], listen = '127.0.0.1:0' } = settings;
  const data = settings.data ?? (await mkdtemp(join(tmpdir(), 'vw-facade-')));
  const words = ['store', 'serve', '--data', data, '--listen', listen];
  if (tls) words.push('--tls-cert', tls.certificate, '--tls-key', tls.key);
  for (const user of users) words.push('--user', user);
  const child = spawn(process.execPath, [join(packageRoot(), 'bin/vw.mjs'), ...words], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const exited = once(child, 'exit');
  const end = async (signal: NodeJS.Signals): Promise<number | null> => {
    child.kill(signal);
    if (child.exitCode === null && child.signalCode === null) await exited;
    return child.exitCode;
  };
  let complaints = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => (complaints += text));
  const port = await new Promise<number>((resolve, reject) => {
    let said = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      said += text;
      const found = /^LISTENING (\d+)$/m.exec(said)?.[1];
      if (found !== undefined) resolve(Number(found));
    });
    child.once('close', () => reject(new Error(`vw store serve ended with ${child.exitCode}: ${complaints}`)));
  });
  return {
    connectionString: `esdb://127.0.0.1:${port}?${tls ? `tls=true&tlsCAFile=${tls.authority}` : 'tls=false'}`,
    port,
    child,
    complaints: () => complaints,
    async residentBytes() {
      const kilobytes = /^VmRSS:\s+(\d+) kB$/m.exec(await readFile(`/proc/${child.pid}/status`, 'utf8'))?.[1];
      return Number(kilobytes) * 1024;
    },
    kill: async () => void (await end('SIGKILL')),
    terminate: () => end('SIGTERM'),
    async stop() {
      await end('SIGTERM');
      if (settings.data === undefined) await rm(data, { recursive: true, force: true, maxRetries: 5 });
    },
  };
}
