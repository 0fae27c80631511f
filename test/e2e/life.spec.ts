/** The whole life of a workspace, over HTTP, on each hypervisor that this machine has; and the demo as a user runs it. */
import { execFile } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { packageRoot } from '@vw/runtime';
import { describe, expect, it } from 'vitest';
import { requireServer } from '../support/provisioned.js';
import { startService } from '../support/service-process.js';
import { storeForm, storeSettings } from '../support/store-form.js';
import { temporaryFolder } from '../support/temporary.js';

const run = promisify(execFile);
const demo = join(packageRoot(), 'dist/apps/standalone/src/demo/main.js');
/** What runs the guest is no business of the store's: on another store one will do. */
const hypervisors = storeForm === 'embedded' && requireServer('qemu-system-x86_64') ? ['v86', 'qemu'] : ['v86'];

describe.each(hypervisors)('a workspace on %s', (hypervisor) => {
  it('lives its whole life, and its heartbeats prove what was done to it', async () => {
    const service = await startService(await temporaryFolder('life'), { VW_HYPERVISOR: hypervisor });
    try {
      const { api } = service;
      const id = await api.create();
      await api.done(id, 'check-out');
      await api.done(id, 'deploy');
      await api.done(id, 'start');
      await api.beatBeyond(id, 2);

      await api.done(id, 'pause');
      const frozen = (await api.beats(id)).length;
      await new Promise((resolve) => setTimeout(resolve, 500));
      expect((await api.beats(id)).length).toBe(frozen);

      await api.done(id, 'unpause');
      await api.beatBeyond(id, frozen);
      await api.done(id, 'pause');
      await api.done(id, 'serialise');
      expect((await api.show(id)).power).toMatchObject({ kind: 'serialised', guest: 'in-memory' });
      await api.done(id, 'stop', { mode: 'hard' });
      expect((await api.show(id)).power).toMatchObject({ kind: 'serialised', guest: 'none' });
      expect((await api.show(id)).state).toBe('paused');
      const before = await api.beats(id);

      await api.done(id, 'start');
      await api.beatBeyond(id, before.at(-1) ?? 0);
      expect((await api.beats(id))[before.length]).toBe((before.at(-1) ?? 0) + 1);
      await api.done(id, 'stop');
      await api.done(id, 'undeploy');

      const view = await api.show(id);
      expect(view).toMatchObject({
        state: 'shutdown',
        placement: { kind: 'none' },
        lock: { kind: 'free', lastEpoch: 1 },
      });
      const types = (await api.history(id)).map((event) => event.type);
      expect(types).toEqual([
        ...['WorkspaceCreated', 'WorkspaceCheckedOut', 'DeployRequested', 'WorkspaceDeployed'],
        ...['StartRequested', 'WorkspaceStarted', 'PauseRequested', 'WorkspacePaused'],
        ...['UnpauseRequested', 'WorkspaceUnpaused', 'PauseRequested', 'WorkspacePaused'],
        ...['SerialiseRequested', 'HotImageCaptured', 'StopRequested', 'WorkspaceStopped'],
        ...['StartRequested', 'WorkspaceStarted', 'StopRequested', 'WorkspaceStopped'],
        ...['UndeployRequested', 'WorkspaceUndeployed', 'WorkspaceCheckedIn'],
      ]);
    } finally {
      expect(await service.stop()).toBe(0);
    }
  });

  it('continues on its next deployment where it was paused when it was undeployed', async () => {
    const service = await startService(await temporaryFolder('hot'), { VW_HYPERVISOR: hypervisor });
    try {
      const { api } = service;
      const id = await api.create();
      await api.done(id, 'deploy');
      await api.done(id, 'start');
      await api.beatBeyond(id, 2);
      await api.done(id, 'pause');
      const paused = (await api.beats(id)).at(-1) ?? 0;
      await api.done(id, 'undeploy');
      expect(await api.show(id)).toMatchObject({
        state: 'paused',
        placement: { kind: 'none' },
        lock: { kind: 'free' },
      });

      await api.done(id, 'deploy');
      await api.done(id, 'start');
      await api.beatBeyond(id, paused);
      expect((await api.beats(id))[0]).toBe(paused + 1);
    } finally {
      await service.stop();
    }
  });
});

describe('the demo', () => {
  it('proves its three claims on the project’s own sample', async () => {
    const environment = await storeSettings(await temporaryFolder('demo'));
    const { stdout } = await run(process.execPath, [demo], { env: { ...process.env, ...environment } });
    expect(stdout.match(/^proven /gm)).toHaveLength(3);
    expect(stdout).not.toContain('NOT SO');
  });

  const published = join(packageRoot(), '../shared/data/nimbus');
  const present = storeForm === 'embedded' && existsSync(published);
  if (!existsSync(published))
    process.stderr.write('LEFT OUT: the demo on published descriptions, which are not beside this checkout\n');

  it.runIf(present)('lives on a description that another site published', async () => {
    const { stdout } = await run(process.execPath, [demo, join(published, 'sample-workspace.xml')]);
    expect(stdout).toContain('stands in here: image heartbeat, vmm any');
    expect(stdout.match(/^proven /gm)).toHaveLength(3);
  });

  it.runIf(present)('refuses a file that is no description, naming line and element', async () => {
    const file = join(published, 'ec2basecluster.xml');
    const failure = await run(process.execPath, [demo, file]).catch((error: { stderr: string }) => error);
    const line =
      readFileSync(file, 'utf8')
        .split('\n')
        .findIndex((text) => text.includes('<cluster>')) + 1;
    expect(failure.stderr).toContain(`line ${line}, element cluster`);
  });
});
