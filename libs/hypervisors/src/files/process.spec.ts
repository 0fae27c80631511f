/** A guest's process among all others, some of which have its words in theirs. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { afterEach, expect, it } from 'vitest';
import { findProcessByCommandLine } from './process.js';

const begun: ChildProcess[] = [];

/** A process that calls itself `program`, has the words, and does nothing. */
async function begin(program: string, ...words: readonly string[]): Promise<number> {
  const child = spawn('/bin/sh', ['-c', 'echo begun; read line', ...words], {
    argv0: program,
    stdio: ['pipe', 'pipe', 'ignore'],
  });
  begun.push(child);
  await once(child.stdout, 'data');
  return child.pid!;
}

afterEach(() => {
  for (const child of begun.splice(0)) child.kill('SIGKILL');
});

const uuid = '018f3c1e-0000-7000-8000-00000000abcd';
const find = (...words: string[]) => findProcessByCommandLine('a-vmm', '-c', 'echo begun; read line', ...words);

it('is found by how its command line begins, wherever its program lies', async () => {
  const pid = await begin('/opt/bin/a-vmm', '-uuid', uuid, '-more');
  expect((await find('-uuid', uuid))?.pid).toBe(pid);
});

it('is neither a search for it, nor another guest whose owner wrote its words', async () => {
  await begin('pgrep', '-uuid', uuid);
  await begin('a-vmm', '-uuid', 'another', '-append', uuid);
  await begin('a-vmm', '-append', '-uuid', uuid);
  expect(await find('-uuid', uuid)).toBeUndefined();
});
