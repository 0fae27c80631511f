/** Processes by what cannot be mistaken for another: their start time beside their number, or a word of their command line. Linux. */
import { readdir, readFile } from 'node:fs/promises';

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

/** The living process that has this word in its command line. */
export async function findProcessByArgument(word: string): Promise<ProcessIdentity | undefined> {
  for (const name of await readdir('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    const words = await readFile(`/proc/${name}/cmdline`, 'utf8').catch(() => '');
    if (!words.split('\0').includes(word)) continue;
    const found = await identifyProcess(Number(name));
    if (found !== undefined) return found;
  }
  return undefined;
}
