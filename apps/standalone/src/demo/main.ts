/** `npm run demo [FILE]`: the whole life on data of its own, then the history that it left, then what it proves. Exit code 0 when every proof holds. */
import { readFile } from 'node:fs/promises';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { createLogger, packageRoot, systemTimers } from '@vw/runtime';
import { loadSettings } from '../config/load.js';
import { measureMachine } from '../config/machine.js';
import { settingTable } from '../config/settings.js';
import { openService } from '../service.js';
import { DemoClient } from './client.js';
import { liveOnce } from './life.js';

const contentTypes: Record<string, string> = {
  json: 'application/json',
  xml: 'application/xml',
  yaml: 'application/yaml',
  yml: 'application/yaml',
};

const say = (line: string) => process.stdout.write(`${line}\n`);
const path = process.argv[2] ?? join(packageRoot(), 'schemas/samples/descriptions/heartbeat.xml');
const contentType = contentTypes[path.split('.').at(-1) ?? ''] ?? 'application/yaml';
const data = await mkdtemp(join(tmpdir(), 'vw-demo-'));
try {
  const bytes = await readFile(path).catch((cause: NodeJS.ErrnoException) => {
    throw new Error(cause.code === 'ENOENT' ? `there is no file ${path}` : `${path}: ${cause.message}`, { cause });
  });
  const environment = { ...process.env, VW_DATA: data, VW_HTTP_PORT: '0' };
  const settings = loadSettings(settingTable(measureMachine(data)), environment);
  const service = await openService(settings, createLogger(settings.logLevel), () => undefined);
  try {
    say(`${service.hypervisor}\n`);
    const client = new DemoClient(service.url, systemTimers);
    const report = await liveOnce(client, systemTimers, { name: basename(path), bytes, contentType }, say);
    say(`\nhistory of ${report.workspaceId}`);
    for (const event of (await client.history(report.workspaceId)).items) {
      say(`  ${String(event.revision).padStart(3)}  ${event.recordedAt}  ${event.type.padEnd(20)} ${event.actor}`);
    }
    say('');
    for (const { claim, holds } of report.proofs) say(`${holds ? 'proven' : 'NOT SO'}  ${claim}`);
    process.exitCode = report.proofs.every(({ holds }) => holds) ? 0 : 1;
  } finally {
    await service.close();
  }
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
} finally {
  await rm(data, { recursive: true, force: true });
}
