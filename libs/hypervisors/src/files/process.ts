/** Processes by what cannot be mistaken for another: their start time beside their number, or how their command line begins. Linux. */
import { readdir, readFile } from 'node:fs/promises';
import { basename } from 'node:path';

/** A process as `/proc` tells it; a number alone would name another process after it is used again. */
export interface ProcessIdentity {
  readonly pid: number;
  /** Clock ticks after the boot of the host at which it began (proc_pid_stat(5), field 22). */
  readonly startTicks: string;
}

/** The living process of this number; undefined for none, for a zombie, and where there is no `/proc`. */
export async function identifyProcess(pid: number): Promise<ProcessIdentity | undefined> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => undefined);
  if (stat === undefined) return undefined;
  // The command's name stands in parentheses and may itself contain any character: fields are counted after the last one.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const [state, startTicks] = [fields[0], fields[19]];
  return state === undefined || startTicks === undefined || 'ZX'.includes(state) ? undefined : { pid, startTicks };
}

export async function isAlive({ pid, startTicks }: ProcessIdentity): Promise<boolean> {
  return (await identifyProcess(pid))?.startTicks === startTicks;
}

/**
 * The living process whose command line begins with this program, wherever it lies, and these words. One that has them anywhere else is another's: a search
 * for them, or a guest that was given them.
 */
export async function findProcessByCommandLine(
  program: string,
  ...begins: readonly string[]
): Promise<ProcessIdentity | undefined> {
  for (const name of await readdir('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    const [path = '', ...words] = (await readFile(`/proc/${name}/cmdline`, 'utf8').catch(() => '')).split('\0');
    if (basename(path) !== program || begins.some((word, at) => words[at] !== word)) continue;
    const found = await identifyProcess(Number(name));
    if (found !== undefined) return found;
  }
  return undefined;
}
