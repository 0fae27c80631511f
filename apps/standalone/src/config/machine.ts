/** What this machine can give to guests when the settings say nothing: all processors, and half of the memory and of the free disk. */
import { existsSync, statfsSync } from 'node:fs';
import { availableParallelism, totalmem } from 'node:os';
import { dirname, resolve } from 'node:path';

const mib = 1024 * 1024;

export function measureMachine(dataFolder: string): {
  readonly cpus: number;
  readonly memoryMiB: number;
  readonly diskMiB: number;
} {
  let folder = resolve(dataFolder);
  while (!existsSync(folder)) folder = dirname(folder);
  const { bavail, bsize } = statfsSync(folder);
  return {
    cpus: availableParallelism(),
    memoryMiB: Math.max(1, Math.floor(totalmem() / mib / 2)),
    diskMiB: Math.max(1, Math.floor((bavail * bsize) / mib / 2)),
  };
}
