/** A store in another process goes away and comes back: commands are refused with 503 and half done nowhere, views are read on, and everything resumes by itself. */
import { setTimeout as sleep } from 'node:timers/promises';
import { join } from 'node:path';
import type { EventView, OperationPage } from '@vw/contracts';
import { expect, it, onTestFinished } from 'vitest';
import { type Api, until } from '../support/api.js';
import { launchService, type RunningService, ServiceDidNotStart, startService } from '../support/service-process.js';
import { StoreProcess } from '../support/store-process.js';
import { temporaryFolder } from '../support/temporary.js';

/** How soon after its store the service takes commands again. */
const backWithinMs = 15_000;

it('refuses commands while its store is away, and settles each that is sent again with its id', async () => {
  const { store, service } = await running({ VW_HYPERVISOR: 'v86' });
  const { api } = service;
  const id = await running86(api);
  const before = await api.history(id);
  await store.kill();

  const pause = { commandId: 'pause-without-a-store' };
  const create = { commandId: 'create-without-a-store' };
  const refused = await Promise.all([
    api.command(id, 'pause', {}, pause),
    api.post('/v1/workspaces', 'name: meanwhile\n', create),
    api.command(id, 'check-in'),
  ]);
  expect(refused.map(({ status, body }) => [status, body.reason])).toEqual(
    refused.map(() => [503, 'STORE_UNAVAILABLE']),
  );
  // Which of the two it is depends on when the connection was found to be broken.
  const sentence = (remedy: string) =>
    new RegExp(
      `^(?:It is not known whether this was recorded; ${remedy}: \\w(?!.*never sent)|Nothing was recorded: .*: it was never sent$)`,
    );
  const remedies = [
    `sent again with Idempotency-Key ${pause.commandId} it takes effect once`,
    `sent again with Idempotency-Key ${create.commandId} it takes effect once`,
    'look before you send it again',
  ];
  for (const [n, { body }] of refused.entries()) expect(body.detail).toMatch(sentence(remedies[n] ?? ''));
  expect(await api.get('/readyz')).toMatchObject({ status: 503, body: { status: 'store-away' } });
  expect((await api.get('/healthz')).status).toBe(200);
  expect(await api.show(id)).toMatchObject({ power: { kind: 'running' }, intent: { kind: 'none' } });
  expect((await api.get<OperationPage>('/v1/operations')).body.items).toHaveLength(2);
  const unread = await api.get<{ detail: string }>(`/v1/workspaces/${id}/history`);
  expect(unread).toMatchObject({
    status: 503,
    body: { detail: expect.stringMatching(/^The store cannot be read now: /) },
  });
  await api.beatBeyond(id, (await api.beats(id)).at(-1) ?? 0);

  await store.restart();
  await ready(api);
  expect(await api.history(id)).toEqual(before);
  await settle(api, () => api.command(id, 'pause', {}, pause));
  const created = await settle(api, () => api.post('/v1/workspaces', 'name: meanwhile\n', create));
  await until(20_000, 'the pause', async () => ((await api.show(id)).power.kind === 'paused' ? true : undefined));
  expect((await api.history(id)).slice(before.length).map(({ type }) => type)).toEqual([
    'PauseRequested',
    'WorkspacePaused',
  ]);
  expect(await api.history(created)).toHaveLength(1);
  expect(await service.stop()).toBe(0);
});

it('records what a host did meanwhile, once, and goes on with what was open', async () => {
  const { store, service } = await running({ VW_HYPERVISOR: 'v86' });
  const { api } = service;
  const id = await running86(api);
  for (const verb of ['pause', 'unpause', 'pause']) {
    const { body } = await api.command(id, verb);
    await store.kill();
    await sleep(500);
    await store.restart();
    expect(await api.ended(id, body.requestId ?? '', body.position)).toMatchObject({ status: 'done' });
  }
  const outcomes = (await api.history(id)).slice(-6).map(({ type }) => type);
  expect(outcomes).toEqual([
    ...['PauseRequested', 'WorkspacePaused', 'UnpauseRequested', 'WorkspaceUnpaused'],
    ...['PauseRequested', 'WorkspacePaused'],
  ]);
});

it('shows a follower every event once across the gap', async () => {
  const { store, service } = await running({ VW_HYPERVISOR: 'simulated' });
  const { api } = service;
  const id = await api.create();
  const following = follow(api, `?workspace=${id}`, 3);
  await api.done(id, 'check-out');
  await store.kill();
  await sleep(200);
  await store.restart();
  await ready(api);
  await settle(api, () => api.command(id, 'check-in', {}, { commandId: 'in-again' }));
  expect((await following).map(({ type }) => type)).toEqual([
    ...['WorkspaceCreated', 'WorkspaceCheckedOut', 'WorkspaceCheckedIn'],
  ]);
});

it('is waited for by a service that is started first', async () => {
  const folder = await temporaryFolder('store-away');
  const store = await storeIn(folder);
  await store.kill();
  const service = launchService(join(folder, 'data'), { VW_HYPERVISOR: 'simulated', VW_STORE: store.connection });
  onTestFinished(() => service.kill());
  const place = store.connection.replace('?tls=false', '');
  await until(20_000, 'it says that it waits', async () =>
    service.output().includes(`waiting up to 60 s for the store at ${place}`) ? true : undefined,
  );
  await store.restart();
  await (await service.ready).create();
});

it('that does not come is told in one sentence, without the password', async () => {
  const folder = await temporaryFolder('store-away');
  const store = await storeIn(folder);
  await store.kill();
  const connection = store.connection.replace('esdb://', 'esdb://ann:hunter2@');
  const environment = { VW_HYPERVISOR: 'simulated', VW_STORE: connection, VW_STORE_WAIT_SECONDS: '1' };
  const failure = await startService(join(folder, 'data'), { ...environment, VW_LOG_LEVEL: 'debug' }).catch(
    (error: unknown) => error,
  );
  expect(failure).toBeInstanceOf(ServiceDidNotStart);
  const { exitCode, output } = failure as ServiceDidNotStart;
  expect(exitCode).toBe(1);
  expect(output).toMatch(/^the store at esdb:\/\/127\.0\.0\.1:\d+ did not answer within 1 s: .+$/m);
  expect(output).not.toContain('hunter2');
});

async function storeIn(folder: string): Promise<StoreProcess> {
  const store = await StoreProcess.start(join(folder, 'store'));
  onTestFinished(() => store.kill());
  return store;
}

async function running(environment: Record<string, string>): Promise<{ store: StoreProcess; service: RunningService }> {
  const folder = await temporaryFolder('store-away');
  const store = await storeIn(folder);
  const service = await startService(join(folder, 'data'), { ...environment, VW_STORE: store.connection });
  onTestFinished(() => service.kill());
  return { store, service };
}

async function running86(api: Api): Promise<string> {
  const id = await api.create();
  await api.done(id, 'deploy');
  await api.done(id, 'start');
  await api.beatBeyond(id, 1);
  return id;
}

async function ready(api: Api): Promise<void> {
  await until(backWithinMs, 'it is ready', async () => ((await api.get('/readyz')).status === 200 ? true : undefined));
}

/** Sends a command until it is taken; answers the workspace. */
function settle(api: Api, send: () => ReturnType<Api['command']>): Promise<string> {
  return until(backWithinMs, `${api.url} takes the command`, async () => {
    const { status, body } = await send();
    if (status >= 300 && status !== 503) throw new Error(JSON.stringify(body));
    return status === 503 ? undefined : body.workspaceId;
  });
}

/** So many events of the feed, asked for again after the last one whenever it breaks. */
async function follow(api: Api, query: string, count: number): Promise<EventView[]> {
  const found: EventView[] = [];
  while (found.length < count) {
    const closing = new AbortController();
    const last = found.at(-1)?.position;
    const headers = last === undefined ? undefined : { 'last-event-id': String(last) };
    try {
      const response = await fetch(`${api.url}/v1/events${query}`, { headers, signal: closing.signal });
      let text = '';
      for await (const chunk of response.body?.pipeThrough(new TextDecoderStream()) ?? []) {
        text += chunk;
        const messages = text.split('\n\n');
        text = messages.pop() ?? '';
        for (const message of messages) {
          const data = /^id: .*\n[\s\S]*^data: (.*)$/m.exec(message)?.[1];
          if (data !== undefined) found.push(JSON.parse(data) as EventView);
        }
        if (found.length >= count) break;
      }
    } catch (error) {
      if (!(error instanceof TypeError)) throw error;
    } finally {
      closing.abort();
    }
    await sleep(50);
  }
  return found;
}
