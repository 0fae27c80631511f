/** The QEMU processes that a service has begun, as the machine's process table shows them: whatever the service says of itself. */
import { readdir, readFile } from 'node:fs/promises';
import { basename } from 'node:path';

export interface GuestProcess {
  readonly workspaceId: string;
  readonly pid: number;
  /** Beside its number, what tells it from a later process of that number (proc_pid_stat(5), field 22). */
  readonly startTicks: string;
}

/** Every living QEMU with a file under this folder. */
export async function guestProcesses(folder: string): Promise<GuestProcess[]> {
  const found: GuestProcess[] = [];
  for (const name of await readdir('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    const words = (await readFile(`/proc/${name}/cmdline`, 'utf8').catch(() => '')).split('\0');
    if (!basename(words[0] ?? '').startsWith('qemu-system') || !words.some((word) => word.includes(folder))) continue;
    const stat = await readFile(`/proc/${name}/stat`, 'utf8').catch(() => undefined);
    const [state, startTicks] = [0, 19].map((n) => stat?.slice(stat.lastIndexOf(')') + 2).split(' ')[n]);
    if (state === undefined || startTicks === undefined || 'ZX'.includes(state)) continue;
    const workspaceId = /^workspace (\S+) epoch \d+$/.exec(words[words.indexOf('-name') + 1] ?? '')?.[1] ?? '';
    found.push({ workspaceId, pid: Number(name), startTicks });
  }
  return found;
}
