/** How the service begins and ends as a process: one Ctrl-C lets it finish, and what is taken already is said in one sentence. */
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { ImageView, Page } from '@vw/contracts';
import { buildHeartbeatGuest } from '@vw/hypervisors';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { until } from '../support/api.js';
import { type RunningService, startService } from '../support/service-process.js';
import { temporaryFolder } from '../support/temporary.js';

const simulated = { VW_HYPERVISOR: 'simulated' };

let data: string;
let service: RunningService;

beforeEach(async () => {
  data = await temporaryFolder('running');
  service = await startService(data, simulated);
});

afterEach(() => service.kill());

it('finishes in order when one Ctrl-C arrives twice, as it does from a terminal under npm', async () => {
  service.child.kill('SIGINT');
  service.child.kill('SIGINT');
  expect(await service.stop()).toBe(0);
  expect(service.output()).toMatch(/finishing what is under way.*\nstopped\n$/);
});

it('says which port is taken, and what names another', async () => {
  const { port } = new URL(service.api.url);
  await expect(startService(await temporaryFolder('other'), { ...simulated, VW_HTTP_PORT: port })).rejects.toThrow(
    `port ${port} of 127.0.0.1 is taken by another program; VW_HTTP_PORT names another`,
  );
});

it('says that another instance runs on the same data', async () => {
  await expect(startService(data, simulated)).rejects.toThrow('is in use: another instance runs on this data');
});

it('keeps nothing of an image that was arriving when it was killed', async () => {
  const uploads = join(data, 'uploads');
  const half = new ReadableStream({ start: (controller) => controller.enqueue(new Uint8Array(100_000)) });
  const headers = { 'content-type': 'application/octet-stream' };
  const sending: RequestInit = { method: 'POST', headers, body: half, duplex: 'half' };
  const cutOff = expect(fetch(`${service.api.url}/v1/images?name=half`, sending)).rejects.toThrow();
  await until(5000, 'it arrives', async () => (await readdir(uploads)).at(0));
  await service.kill();
  await cutOff;
  service = await startService(data, simulated);
  expect(await readdir(uploads)).toEqual([]);
});

it('leaves alone what a site has put under the name of the built-in image', async () => {
  const bytes = Buffer.concat([buildHeartbeatGuest(), Buffer.alloc(16)]);
  const type = 'application/octet-stream';
  const added = await service.api.post<{ digest: string }>('/v1/images?name=heartbeat', bytes, { type });
  expect(added.status).toBe(201);
  await service.stop();
  service = await startService(data, simulated);
  const { body } = await service.api.get<Page<ImageView>>('/v1/images');
  expect(body.items.map(({ name, digest }) => [name, digest])).toEqual([['heartbeat', added.body.digest]]);
});
