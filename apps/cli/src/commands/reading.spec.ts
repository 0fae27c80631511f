import type { EventView, HostView, LockView, WorkspaceView } from '@vw/contracts';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { answers, operation, refuses, type StandIn, standIn, workspace } from '../testing/ledger.js';
import { vw } from '../testing/terminal.js';

const ESCAPE = '\u001b';
const running: Partial<WorkspaceView> = {
  workspaceId: 'wb0c6f0a66f0e5b6a9d3',
  name: 'emboss',
  state: 'running',
  power: { kind: 'running' },
  placement: { kind: 'staged', hostId: 'local', epoch: 2 },
  lock: { kind: 'held', holder: 'CN=bob', epoch: 2, leaseUntil: '2030-01-01T00:00:00.000Z' },
};

describe('reading', () => {
  let ledger: StandIn;
  beforeEach(async () => {
    ledger = await standIn();
    ledger.workspaces = [workspace({ workspaceId: 'wa1c6f0a66f0e5b6a9d3' }), workspace(running)];
  });
  afterEach(() => ledger.close());

  it('lists workspaces as a table without rules or colours', async () => {
    const { code, out } = await vw({ url: ledger.url }, 'ls');
    expect(code).toBe(0);
    const lines = out.trimEnd().split('\n');
    expect(lines[0]).toMatch(/^NAME {4}ID {8}STATE {5}HOST {3}HOLDER {5}AGE$/);
    expect(lines[1]).toMatch(/^blast {3}wa1c6f0a {2}shutdown {2}- {6}- +\d+ d$/);
    expect(lines[2]).toMatch(/^emboss {2}wb0c6f0a {2}running {3}local {2}CN=bob {2}\d+ d$/);
    expect(out).not.toContain(ESCAPE);
  });

  it('colours on a terminal that wants it, and never goes beyond its lines', async () => {
    ledger.workspaces.push(workspace({ name: 'a'.repeat(200), state: 'corrupted' }));
    const coloured = await vw({ url: ledger.url, tty: true, columns: 60 }, 'ls');
    expect(coloured.out).toContain(`${ESCAPE}[31mcorrupted${ESCAPE}[39m`);
    const plain = await vw({ url: ledger.url, tty: true, columns: 60, env: { NO_COLOR: '1' } }, 'ls');
    expect(plain.out).not.toContain(ESCAPE);
    for (const line of plain.out.split('\n')) expect(line.length).toBeLessThanOrEqual(60);
    expect(plain.out).toContain('…');
    expect((await vw({ url: ledger.url }, 'ls')).out).toContain('a'.repeat(200));
  });

  it('tells doubt, hot images and what is under way', async () => {
    const hotImage = {
      digest: `sha256:${'0'.repeat(64)}`,
      sizeBytes: 4096,
      vmmType: 'v86',
      vmmVersion: '0.5',
      machine: 'pc',
    };
    const intent = {
      kind: 'deploy',
      requestId: 'r',
      hostId: 'local',
      epoch: 1,
      since: '',
      deadline: '',
      cancelRequested: false,
    };
    ledger.workspaces = [
      workspace({ state: 'running', power: { kind: 'unknown', lastKnown: 'running', since: '2020-01-01T00:00:00Z' } }),
      workspace({ state: 'paused', power: { kind: 'serialised', guest: 'none', hotImage } }),
      workspace({ intent }),
      workspace({ expired: true }),
    ];
    const { out } = await vw({ url: ledger.url }, 'ls');
    for (const state of ['running? ', 'paused, serialised', 'shutdown → deploy', 'shutdown, expired'])
      expect(out).toContain(state);
  });

  it('lists the retired ones when asked', async () => {
    ledger.workspaces.push(workspace({ name: 'old', definition: 'retired' }));
    expect((await vw({ url: ledger.url }, 'ls')).out).not.toContain('old');
    expect((await vw({ url: ledger.url }, 'ls', '--retired')).out).toMatch(/^old {3}w1 {2}retired/m);
  });

  it('shows nothing of a name that a terminal would obey', async () => {
    ledger.workspaces = [workspace({ name: `x${ESCAPE}[2Jy` })];
    for (const argv of [['ls'], ['show', 'w1']]) {
      expect((await vw({ url: ledger.url }, ...argv)).out).toContain('x\\u001b[2Jy');
    }
  });

  it('shows nothing that a terminal would obey, whatever a ledger says', async () => {
    const evil = `${ESCAPE}]0;title\u0007\u009b2J\r\nx`;
    const told = { workspaceId: 'w1', commandId: evil, revision: evil as never, position: 1, notices: [evil] };
    ledger.workspaces = [workspace({ state: evil as never, createdAt: evil, revision: evil as never })];
    ledger.on('POST /v1/workspaces/w1/retire', answers(200, { ...told, outcome: 'accepted' }));
    ledger.on('POST /v1/workspaces/w1/renew', refuses({ status: 409, reason: evil, detail: evil }));
    ledger.on('GET /v1/locks', answers(200, { items: [], position: 0, nextCursor: evil }));
    for (const argv of [['show', 'w1'], ['retire', 'w1', '--reason', 'old'], ['renew', 'w1'], ['locks']]) {
      const { out, err } = await vw({ url: ledger.url }, ...argv);
      expect(out + err).toContain('\\u001b]0;title\\u0007\\u009b2J\\u000d');
      // oxlint-disable-next-line no-control-regex -- they are what is looked for
      expect(out + err).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f]/);
    }
  });

  it('passes filters on, and gives programs the page as it is', async () => {
    const { out } = await vw(
      { url: ledger.url },
      'ls',
      '--state',
      'running',
      '--owner',
      'CN=a b',
      '--host',
      'h1',
      '--after',
      '7',
      '--limit',
      '3',
      '--json',
    );
    expect(Object.fromEntries(ledger.asked.at(-1)?.query ?? [])).toEqual({
      state: 'running',
      owner: 'CN=a b',
      host: 'h1',
      after: '7',
      limit: '3',
    });
    expect(JSON.parse(out)).toEqual({ items: ledger.workspaces, position: 7 });
  });

  it('names the next page, and goes through all of them when asked', async () => {
    ledger.on('GET /v1/workspaces', ({ query }, response) => {
      const second = query.get('cursor') === 'two';
      const page = { items: [ledger.workspaces[second ? 1 : 0]], position: 7, ...(!second && { nextCursor: 'two' }) };
      answers(200, page)({} as never, response);
    });
    const first = await vw({ url: ledger.url }, 'ls');
    expect(first.out).not.toContain('emboss');
    expect(first.err).toBe('there are more: --all, or --cursor two\n');
    expect((await vw({ url: ledger.url }, 'ls', '--cursor', 'two')).out).toContain('emboss');
    const all = await vw({ url: ledger.url }, 'ls', '--all', '--json');
    expect(JSON.parse(all.out)).toEqual({ items: ledger.workspaces, position: 7 });
  });

  it('shows one workspace as facts, as JSON and as XML', async () => {
    const { out } = await vw({ url: ledger.url }, 'show', 'emboss');
    expect(out).toContain('lock       held by CN=bob at epoch 2 until 2030-01-01T00:00:00.000Z (');
    expect(out).toContain('placement  staged on local at epoch 2');
    expect(out).toContain('description\n  name: blast\n  category: virtual-machine\n');
    expect(JSON.parse((await vw({ url: ledger.url }, 'show', 'emboss', '--json')).out)).toEqual(ledger.workspaces[1]);

    ledger.on(`GET /v1/workspaces/${running.workspaceId}`, ({ headers }, response) => {
      if (!String(headers.accept).includes('xml')) return answers(200, ledger.workspaces[1])({} as never, response);
      response.writeHead(200, { 'content-type': 'application/xml; charset=utf-8' }).end('<workspace/>');
    });
    expect((await vw({ url: ledger.url }, 'show', 'emboss', '--xml')).out).toBe('<workspace/>\n');
    expect(await vw({ url: ledger.url }, 'show', 'emboss', '--xml', '--json')).toMatchObject({ code: 2 });
  });

  describe('which workspace is meant', () => {
    const shown = async (typed: string) => {
      const { code, out, err } = await vw({ url: ledger.url }, 'show', typed, '--json');
      return code === 0
        ? (JSON.parse(out) as WorkspaceView).workspaceId
        : `${code} ${(JSON.parse(err) as { detail: string }).detail}`;
    };

    it('takes an id, a beginning of it, or a name', async () => {
      expect(await shown('wb0c6f0a66f0e5b6a9d3')).toBe('wb0c6f0a66f0e5b6a9d3');
      expect(await shown('wb0')).toBe('wb0c6f0a66f0e5b6a9d3');
      expect(await shown('emboss')).toBe('wb0c6f0a66f0e5b6a9d3');
    });

    it('takes an exact id even where it begins another', async () => {
      ledger.workspaces = [workspace({ workspaceId: 'w1' }), workspace({ workspaceId: 'w12' })];
      expect(await shown('w1')).toBe('w1');
    });

    it('takes a name that no id can have', async () => {
      ledger.workspaces.push(workspace({ workspaceId: 'wc', name: 'http://grid/my workspace' }));
      expect(await shown('http://grid/my workspace')).toBe('wc');
    });

    it('refuses two meanings, and names them', async () => {
      expect(await shown('w')).toBe(
        '2 "w" may mean wa1c6f0a66f0e5b6a9d3 (blast), wb0c6f0a66f0e5b6a9d3 (emboss): type more of the id',
      );
      ledger.workspaces.push(workspace({ workspaceId: 'other', name: 'wb0c' }));
      expect(await shown('wb0c')).toMatch(/^2 "wb0c" may mean/);
    });

    it('sends no command to one of two meanings', async () => {
      const { code, err } = await vw({ url: ledger.url }, 'stop', 'w');
      expect([code, err]).toEqual([2, expect.stringContaining('may mean')]);
      expect(ledger.asked.some(({ method }) => method === 'POST')).toBe(false);
    });

    it('lets a retired workspace keep its name without being in the way', async () => {
      ledger.workspaces.push(workspace({ workspaceId: 'wold', name: 'emboss', definition: 'retired' }));
      expect(await shown('emboss')).toBe('wb0c6f0a66f0e5b6a9d3');
      expect(await shown('wold')).toBe('wold');
      ledger.workspaces.pop();
      ledger.workspaces.push(workspace({ workspaceId: 'wold', name: 'former', definition: 'retired' }));
      expect(await shown('former')).toBe('wold');
    });

    it('exits 4 when none is', async () => {
      expect(await shown('nobody')).toMatch(/^4 no workspace has the id or the name "nobody"/);
    });

    it('finds one on a later page', async () => {
      ledger.on('GET /v1/workspaces', ({ query }, response) => {
        const second = query.get('cursor') === 'two';
        const page = {
          items: second ? [ledger.workspaces[1]] : [],
          position: 7,
          ...(!second && { nextCursor: 'two' }),
        };
        answers(200, page)({} as never, response);
      });
      expect(await shown('emboss')).toBe('wb0c6f0a66f0e5b6a9d3');
    });
  });

  it('tells a history with its facts, instants in UTC', async () => {
    const event: EventView = {
      position: 9,
      stream: 'workspace-w',
      revision: 1,
      eventId: 'e',
      type: 'WorkspaceCheckedOut',
      recordedAt: '2026-01-01T00:00:00.000Z',
      observedAt: null,
      actor: 'CN=ann',
      commandId: 'c',
      data: { workspaceId: 'w', holder: 'CN=ann', epoch: 1, leaseUntil: Date.UTC(2026, 0, 2), nested: { no: 1 } },
    };
    ledger.on(`GET /v1/workspaces/${running.workspaceId}/history`, answers(200, { items: [event], position: 9 }));
    const { out } = await vw({ url: ledger.url }, 'history', 'emboss');
    expect(out).toContain('WorkspaceCheckedOut  CN=ann  holder=CN=ann epoch=1 leaseUntil=2026-01-02T00:00:00.000Z\n');
  });

  it('lists locks, operations and hosts', async () => {
    const lock: LockView = {
      workspaceId: 'w1',
      name: 'blast',
      holder: 'CN=bob',
      epoch: 3,
      leaseUntil: '2020-01-01T00:00:00Z',
      hostId: null,
    };
    ledger.on('GET /v1/locks', answers(200, { items: [lock], position: 1 }));
    expect((await vw({ url: ledger.url }, 'locks')).out).toMatch(/^blast {2}w1 {2}CN=bob {6}3 {2}\d+ d ago {2}-$/m);

    const failed = operation({ status: 'failed', failure: { class: 'host', reason: 'disk full' } });
    ledger.on('GET /v1/operations', answers(200, { items: [failed], position: 1 }));
    expect((await vw({ url: ledger.url }, 'ops')).out).toContain('host: disk full');
    expect(Object.fromEntries(ledger.asked.at(-1)?.query ?? [])).toEqual({ status: 'open' });
    await vw({ url: ledger.url }, 'ops', 'emboss', '--status', 'all');
    expect(Object.fromEntries(ledger.asked.at(-1)?.query ?? [])).toEqual({ workspace: running.workspaceId });

    const vmms = [{ type: 'v86', version: '0.5.462', accelerator: 'wasm', architectures: ['x86'], capabilities: [] }];
    const host: HostView = {
      hostId: 'local',
      status: 'connected',
      bootId: 'b',
      cpus: 2,
      memoryMiB: 1024,
      diskMiB: 10_240,
      vmms,
      workspaces: 1,
      lastHeard: null,
    };
    ledger.on('GET /v1/hosts', answers(200, { items: [host], position: 1 }));
    expect((await vw({ url: ledger.url }, 'hosts')).out).toMatch(
      /^local {2}connected {2}v86 0\.5\.462 {5}2 {3}1 GiB {2}10 GiB {11}1 {2}never$/m,
    );
  });

  it('says so when there is nothing, and still gives programs a document', async () => {
    ledger.workspaces = [];
    expect(await vw({ url: ledger.url }, 'ls')).toEqual({ code: 0, out: '', err: 'no workspaces\n' });
    expect(JSON.parse((await vw({ url: ledger.url }, 'ls', '--json')).out)).toEqual({ items: [], position: 7 });
  });
});
