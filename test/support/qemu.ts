/** The QEMU processes of a service under test, found by the data folder in their command lines: a test ends no other. */
import { readdir, readFile } from 'node:fs/promises';

export async function qemusOf(data: string): Promise<number[]> {
  const found: number[] = [];
  for (const name of await readdir('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    const line = await readFile(`/proc/${name}/cmdline`, 'utf8').catch(() => '');
    if (line.startsWith('qemu-system') && line.includes(data)) found.push(Number(name));
  }
  return found;
}

/** Ends what a service has left running: guests of QEMU outlive it. */
export async function endQemusOf(data: string): Promise<void> {
  for (const pid of await qemusOf(data)) process.kill(pid, 'SIGKILL');
}
