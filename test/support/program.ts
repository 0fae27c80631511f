/** A TypeScript program in a process of its own, for tests that kill it. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { packageRoot } from '@vw/runtime';

/** Resolves the aliases of tsconfig.json and strips types in memory, as the test runner does. */
const RUNNER = `
  import { runnerImport } from 'vite';
  await runnerImport(process.argv[1], { configFile: false, logLevel: 'error', resolve: { tsconfigPaths: true } });
`;

export interface Program {
  /** What it has printed so far, one entry a line. */
  readonly lines: readonly string[];
  /** Resolves when it has printed at least so many lines. Rejects when it ends before that, with what it said on standard error. */
  printed(count: number): Promise<void>;
  /** `kill -9`; resolves when it is gone. */
  kill(): Promise<void>;
  /** Its exit code, or the signal that ended it. */
  readonly ended: Promise<number | NodeJS.Signals>;
}

export function runProgram(file: string, ...args: readonly string[]): Program {
  const child = spawn(process.execPath, ['--input-type=module', '--eval', RUNNER, file, ...args], {
    cwd: packageRoot(),
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const lines: string[] = [];
  let complaints = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => (complaints += text));
  const output = createInterface(child.stdout).on('line', (line) => lines.push(line));
  const ended = once(child, 'close').then(([code, signal]) => (code ?? signal) as number | NodeJS.Signals);
  return {
    lines,
    ended,
    async printed(count) {
      const over = new AbortController();
      void ended.then(() => over.abort());
      while (lines.length < count) {
        if (over.signal.aborted) throw new Error(`${file} printed ${lines.length} lines and ended: ${complaints}`);
        await once(output, 'line', { signal: over.signal }).catch(() => undefined);
      }
    },
    async kill() {
      child.kill('SIGKILL');
      await ended;
    },
  };
}
