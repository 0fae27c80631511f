/** `vw store` as users run it: the built program in a process of its own. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { packageRoot } from '@vw/runtime';

const entry = join(packageRoot(), 'dist/apps/store/src/main.js');

export interface Told {
  /** The exit code, or the signal that ended it. */
  readonly code: number | NodeJS.Signals;
  readonly out: string;
  readonly err: string;
}

export interface RunningCommand {
  readonly child: ChildProcess;
  readonly ended: Promise<Told>;
  /** Resolves when standard output holds this; rejects when the command ends before. */
  shown(text: string): Promise<void>;
  /** kill -9, and waits until it is gone. */
  kill(): Promise<void>;
}

export interface Surroundings {
  readonly stdin?: string | Uint8Array;
  readonly env?: Record<string, string>;
}

/** Runs `vw store` with these arguments to its end. */
export function vwStore(...argv: readonly string[]): Promise<Told> {
  return startVwStore(argv).ended;
}

export function startVwStore(argv: readonly string[], { stdin, env = {} }: Surroundings = {}): RunningCommand {
  if (!existsSync(entry)) throw new Error('vw store is not built: npm run build');
  const inherited = Object.entries(process.env).filter(([name]) => !name.startsWith('VW_'));
  const child = spawn(process.execPath, ['--enable-source-maps', entry, ...argv], {
    env: { ...Object.fromEntries(inherited), ...env },
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  // It may well end before it has read what it is given.
  child.stdin.on('error', () => undefined);
  child.stdin.end(stdin);
  let out = '';
  let err = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (out += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (err += text));
  const ended = once(child, 'close').then(([code, signal]) => ({
    code: (code ?? signal) as number | NodeJS.Signals,
    out,
    err,
  }));
  return {
    child,
    ended,
    async shown(text) {
      const over = new AbortController();
      void ended.then(() => over.abort());
      while (!out.includes(text)) {
        if (over.signal.aborted) throw new Error(`vw store ended before it said ${text}: ${out}${err}`);
        await once(child.stdout, 'data', { signal: over.signal }).catch(() => undefined);
      }
    },
    async kill() {
      child.kill('SIGKILL');
      await ended;
    },
  };
}

export interface ServedStore extends RunningCommand {
  readonly port: number;
  /** Asks it to stop. */
  stop(): Promise<Told>;
}

/** `vw store serve` on a free port of this machine, ready. */
export async function serveStore(
  data: string,
  argv: readonly string[] = [],
  env: Record<string, string> = {},
): Promise<ServedStore> {
  const command = startVwStore(['serve', '--data', data, '--listen', '127.0.0.1:0', ...argv], { env });
  let line = '';
  command.child.stdout?.on('data', (text: string) => (line += text));
  await command.shown('\n');
  const port = Number(/^LISTENING (\d+)\n$/.exec(line)?.[1]);
  return {
    ...command,
    port,
    stop: () => {
      command.child.kill('SIGTERM');
      return command.ended;
    },
  };
}
