/** How the service begins and ends as a process: one Ctrl-C lets it finish, and what is taken already is said in one sentence. */
import { afterEach, beforeEach, expect, it } from 'vitest';
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
