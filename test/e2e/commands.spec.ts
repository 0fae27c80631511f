/** What callers may rely on: one winner, one answer for one command id, refusals with both sides, and reading one's own writes. */
import type { EventView, LockView, Page, Problem, WorkspaceView } from '@vw/contracts';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type RunningService, startService } from '../support/service-process.js';
import { Api, until } from '../support/api.js';

let folder: string;
let service: RunningService;
let api: Api;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'vw-commands-'));
  service = await startService(folder, { VW_HYPERVISOR: 'simulated' });
  api = service.api;
});

afterAll(async () => {
  await service.stop();
  await rm(folder, { recursive: true, force: true });
});

describe('the lock', () => {
  it('goes to exactly one of a hundred racing clients, and tells the others who has it', async () => {
    const id = await api.create();
    const clients = Array.from({ length: 100 }, (_, n) => `CN=client-${n}`);
    const answers = await Promise.all(clients.map((as) => api.command(id, 'check-out', {}, { as })));
    const winners = clients.filter((_, n) => answers[n]?.status === 202);
    expect(winners).toHaveLength(1);
    const losers = answers.filter(({ status }) => status !== 202);
    expect(losers).toHaveLength(99);
    for (const { status, body } of losers) {
      expect({ status, reason: body.reason, holder: body.found?.holder, epoch: body.found?.epoch }).toEqual({
        status: 409,
        reason: 'LOCK_HELD',
        holder: winners[0],
        epoch: 1,
      });
    }
    expect((await api.history(id)).map(({ type }) => type)).toEqual(['WorkspaceCreated', 'WorkspaceCheckedOut']);
    const position = answers.find(({ status }) => status === 202)?.body.position;
    const locks = await api.get<Page<LockView>>(`/v1/locks?after=${position}`);
    expect(locks.body.items.filter((lock) => lock.workspaceId === id)).toMatchObject([
      { holder: winners[0], epoch: 1 },
    ]);
  });

  it('is stolen with a reason, and the thief is on record', async () => {
    const id = await api.create();
    await api.command(id, 'check-out', {}, { as: 'CN=alice' });
    expect((await api.command(id, 'steal-lock', {}, { as: 'CN=bob' })).status).toBe(422);
    expect((await api.command(id, 'steal-lock', { reason: 'alice is on leave' }, { as: 'CN=bob' })).status).toBe(202);
    const last = (await api.history(id)).at(-1);
    expect(last).toMatchObject({ type: 'LockStolen', actor: 'CN=bob', data: { from: 'CN=alice', epoch: 2 } });
  });
});

describe('a command id', () => {
  it('gets the first answer again, and nothing is appended', async () => {
    const asking = { commandId: 'once-and-only-once' };
    const first = await api.post('/v1/workspaces', 'name: twice\n', asking);
    const again = await api.post('/v1/workspaces', 'name: twice\n', asking);
    expect([first.status, again.status]).toEqual([201, 200]);
    expect(again.body).toMatchObject({
      outcome: 'repeated',
      workspaceId: first.body.workspaceId,
      position: first.body.position,
    });
    expect(await api.history(first.body.workspaceId, first.body.position)).toHaveLength(1);
  });

  it('is refused with another body, and on another workspace', async () => {
    const asking = { commandId: 'body-must-match' };
    const one = await api.create('name: one\n');
    const other = await api.create('name: other\n');
    expect((await api.command(one, 'check-out', { leaseSeconds: 60 }, asking)).status).toBe(202);
    for (const attempt of [
      api.command(one, 'check-out', { leaseSeconds: 61 }, asking),
      api.command(other, 'check-out', { leaseSeconds: 60 }, asking),
    ]) {
      expect((await attempt).body).toMatchObject({ status: 409, reason: 'COMMAND_ID_REUSED' });
    }
    expect((await api.command(one, 'check-out', { leaseSeconds: 60 }, asking)).body.outcome).toBe('repeated');
  });

  it('makes one event of many simultaneous repetitions', async () => {
    const id = await api.create();
    const asking = { commandId: 'hurried' };
    const answers = await Promise.all(Array.from({ length: 20 }, () => api.command(id, 'check-out', {}, asking)));
    expect(new Set(answers.map(({ body }) => body.position)).size).toBe(1);
    expect(await api.history(id)).toHaveLength(2);
  });
});

describe('reading', () => {
  it('shows one’s own write when asked to wait for it', async () => {
    for (let n = 0; n < 20; n += 1) {
      const { body } = await api.post('/v1/workspaces', `name: mine-${n}\n`);
      const view = await api.show(body.workspaceId, body.position);
      expect(view.name).toBe(`mine-${n}`);
    }
  });

  it('pages through a list without repeating or missing anything while it grows', async () => {
    const names = Array.from({ length: 7 }, (_, n) => `page-${n}`);
    for (const name of names) await api.create(`name: ${name}\n`, { as: 'CN=pager' });
    const seen: string[] = [];
    let cursor = '';
    do {
      const page = await api.get<Page<WorkspaceView>>(`/v1/workspaces?owner=CN%3Dpager&limit=3${cursor}`);
      seen.push(...page.body.items.map(({ name }) => name));
      cursor = page.body.nextCursor === undefined ? '' : `&cursor=${page.body.nextCursor}`;
    } while (cursor !== '');
    expect(seen.toSorted()).toEqual(names);
  });

  it('refuses a cursor of another query', async () => {
    await api.create('name: a\n', { as: 'CN=cursor' });
    await api.create('name: b\n', { as: 'CN=cursor' });
    const { body } = await until(5000, 'a second page', async () => {
      const page = await api.get<Page<WorkspaceView>>('/v1/workspaces?owner=CN%3Dcursor&limit=1');
      return page.body.nextCursor === undefined ? undefined : page;
    });
    const refused = await api.get<Problem>(`/v1/workspaces?owner=CN%3Dother&limit=1&cursor=${body.nextCursor}`);
    expect(refused).toMatchObject({
      status: 422,
      body: { reason: 'INVALID', problems: [{ where: { field: 'cursor' } }] },
    });
    expect((await api.get('/v1/workspaces?cursor=%00%01')).status).toBe(422);
  });

  it('gives a workspace and its reference in XML', async () => {
    const created = await api.post<string>('/v1/workspaces', 'name: "<&>"\n', { accept: 'application/xml' });
    expect(created.body).toMatch(/<wsa:Address>http:\/\/[^<]+\/v1\/workspaces\/\w+<\/wsa:Address>/);
    expect(created.body).toContain('<owner>CN=tester</owner>');
    const id = /workspaces\/(\w+)</.exec(created.body)?.[1] ?? '';
    const shown = await until(5000, 'the view', async () => {
      const answer = await api.get<string>(`/v1/workspaces/${id}`, { accept: 'application/xml' });
      return answer.status === 200 ? answer : undefined;
    });
    expect(shown.body).toContain('<name>&lt;&amp;&gt;</name>');
    const description =
      /<workspace xmlns="urn:workspace-ledger:description:1"[\s\S]*?<\/workspace>/.exec(shown.body)?.[0] ?? '';
    const again = await api.post('/v1/workspaces', description, { type: 'application/xml' });
    expect(again.status).toBe(201);
  });
});

describe('/v1/events', () => {
  it('resumes after the last event that a client saw, without missing or repeating one', async () => {
    const id = await api.create();
    await api.command(id, 'check-out');
    const first = await events(api, `?workspace=${id}`, 2);
    expect(first.map(({ type }) => type)).toEqual(['WorkspaceCreated', 'WorkspaceCheckedOut']);
    const following = events(api, `?workspace=${id}`, 2, String(first[0]?.position));
    expect((await api.command(id, 'check-in')).status).toBe(202);
    expect((await following).map(({ type }) => type)).toEqual(['WorkspaceCheckedOut', 'WorkspaceCheckedIn']);
  });

  it('refuses a Last-Event-ID that is no position', async () => {
    const response = await fetch(`${api.url}/v1/events`, { headers: { 'last-event-id': 'yesterday' } });
    expect(response.status).toBe(422);
    await response.body?.cancel();
  });
});

describe('what is not well said', () => {
  it.each([
    ['a body that is no JSON', '/v1/workspaces/w1/deploy', '{', 400, 'BAD_REQUEST'],
    ['an unknown field', '/v1/workspaces/w1/deploy', '{"hots":"x"}', 422, 'INVALID'],
    ['a value out of range', '/v1/workspaces/w1/stop', '{"graceSeconds":-1}', 422, 'INVALID'],
    ['a missing reason', '/v1/workspaces/w1/retire', '{}', 422, 'INVALID'],
    ['an unknown workspace', '/v1/workspaces/w1/pause', '{}', 404, 'NOT_FOUND'],
    ['an id that is none', '/v1/workspaces/..%2f..%2fetc/pause', '{}', 404, 'NOT_FOUND'],
    ['an address that is not UTF-8', '/v1/workspaces/%ff/pause', '{}', 400, 'BAD_REQUEST'],
    ['an address that is far too long', `/v1/workspaces/${'x'.repeat(200)}/pause`, '{}', 414, 'BAD_REQUEST'],
    ['a description with a DOCTYPE', '/v1/workspaces', '<!DOCTYPE x><VirtualWorkspace/>', 422, 'INVALID_DESCRIPTION'],
    ['an unknown image', '/v1/workspaces?image=nowhere', 'name: x\n', 409, 'NO_IMAGE'],
  ])('%s is refused with a problem', async (_, path, body, status, reason) => {
    const type = path.startsWith('/v1/workspaces/')
      ? 'application/json'
      : body.startsWith('<')
        ? 'application/xml'
        : 'application/yaml';
    const said = await api.post<Problem>(path, body, { type });
    expect({
      status: said.status,
      type: said.headers.get('content-type')?.split(';')[0],
      reason: said.body.reason,
    }).toEqual({
      status,
      type: 'application/problem+json',
      reason,
    });
    expect(said.body.detail.length).toBeGreaterThan(5);
  });

  it('is not held in memory when it is too large', async () => {
    const said = await api.post<Problem>('/v1/workspaces', `name: ${'x'.repeat(2 * 1024 * 1024)}\n`);
    expect({ status: said.status, reason: said.body.reason }).toEqual({ status: 413, reason: 'TOO_LARGE' });
  });

  it('is not taken for an image without a byte', async () => {
    const said = await api.post<Problem>('/v1/images?name=empty', '', { type: 'application/octet-stream' });
    expect({ status: said.status, reason: said.body.reason }).toEqual({ status: 422, reason: 'INVALID' });
  });

  it('is not taken from a web page, or under a name that is not ours', async () => {
    const page = await fetch(`${api.url}/v1/locks`, { headers: { origin: 'https://example.org' } });
    expect(page.status).toBe(403);
  });
});

describe('what documents the interface', () => {
  it('answers on every route that it lists', async () => {
    const { body } = await api.get<{ openapi: string; paths: Record<string, Record<string, unknown>> }>('/docs');
    expect(body.openapi).toBe('3.1.0');
    for (const [path, methods] of Object.entries(body.paths)) {
      for (const method of Object.keys(methods)) {
        if (path === '/v1/events') continue;
        const real = path.replaceAll(/\{\w+\}/g, 'unknown');
        const answer =
          method === 'get'
            ? await api.get<Problem>(real)
            : await api.post<Problem>(real, '{}', { type: 'application/json' });
        expect(`${method} ${path}: ${answer.body.detail ?? ''}`).not.toContain('nothing at this address');
      }
    }
  });

  it('counts commands and evidence', async () => {
    const { body } = await api.get<string>('/metrics');
    expect(body).toMatch(/vw_commands_total\{verb="create",outcome="accepted",reason=""\} \d+/);
    expect(body).toMatch(/vw_commands_total\{verb="check-out",outcome="refused",reason="LOCK_HELD"\} 99/);
  });
});

/** The first so many events of a feed. */
async function events(from: Api, query: string, count: number, lastEventId?: string): Promise<EventView[]> {
  const closing = new AbortController();
  const headers = lastEventId === undefined ? undefined : { 'last-event-id': lastEventId };
  const response = await fetch(`${from.url}/v1/events${query}`, { headers, signal: closing.signal });
  const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader();
  const found: EventView[] = [];
  let text = '';
  while (found.length < count) {
    const { done, value } = (await reader?.read()) ?? { done: true };
    if (done) throw new Error(`the feed ended after ${found.length} events`);
    text += value;
    const messages = text.split('\n\n');
    text = messages.pop() ?? '';
    for (const message of messages) {
      const data = /^id: .*\n[\s\S]*^data: (.*)$/m.exec(message)?.[1];
      if (data !== undefined) found.push(JSON.parse(data) as EventView);
    }
  }
  closing.abort();
  return found.slice(0, count);
}
