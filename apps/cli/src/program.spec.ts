import { createServer } from 'node:net';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { answers, refuses, type StandIn, standIn, workspace } from './testing/ledger.js';
import { start, vw } from './testing/terminal.js';

describe('vw', () => {
  let ledger: StandIn;
  beforeEach(async () => {
    ledger = await standIn();
    ledger.workspaces = [workspace()];
  });
  afterEach(() => ledger.close());

  it('documents its exit codes in its help, and every command in its own', async () => {
    const { code, out } = await vw({}, '--help');
    expect(code).toBe(0);
    for (const line of ['0  done', '2  usage', '3  refused', '4  not found', '5  unreachable', '6  timed out'])
      expect(out).toContain(line);
    const commands = [...out.matchAll(/^ {2}([a-z-]+)(?:\|\S+)? .*? {2,}\S/gm)]
      .map(([, name = '']) => name)
      .filter((name) => !name.startsWith('-'));
    expect(commands.length).toBeGreaterThan(25);
    for (const command of commands) {
      const help = await vw({}, command, '--help');
      expect([command, help.code, help.err]).toEqual([command, 0, '']);
    }
  });

  it('says its version', async () => {
    expect(await vw({}, '--version')).toEqual({ code: 0, out: expect.stringMatching(/^\d+\.\d+\.\d+\n$/), err: '' });
  });

  it.each([
    [['deploi'], "usage: unknown command 'deploi' (Did you mean deploy?)\n"],
    [['deploy'], "usage: missing required argument 'id'\n"],
    [
      ['stop', 'w1', '--grace', 'soon'],
      /^usage: option '--grace <duration>' argument 'soon' is invalid\. It is a length of time/,
    ],
    [['retire', 'w1'], "usage: required option '-r, --reason <text>' not specified\n"],
    [['--url', 'ftp://x', 'ls'], 'usage: the ledger\'s address must be an http or https URL, not "ftp://x"\n'],
    [['--url', 'http://ann:secret@x', 'ls'], /bears no user/],
    [['--as', 'CN=a\u001b[31m', 'ls'], /must be a distinguished name/],
    [['--command-id', 'a b', 'check-in', 'w1'], /a command id has 1 to 64/],
    [['set-lifetime', 'w1', '--forever', '--for', '2h'], /exactly one of/],
    [['set-lifetime', 'w1', '--until', '2030-01-01T00:00:00'], /an instant with its zone/],
    [['refine', 'w1'], /changes nothing/],
    [['create', '-f', '/nowhere/at/all.yaml'], /cannot read the description/],
    [['images', 'add', '/', '--name', 'x'], /no regular file/],
  ])('refuses %j as usage, and sends no command', async (argv, said) => {
    const told = await vw({ url: ledger.url }, ...argv);
    expect(told).toEqual({ code: 2, out: '', err: typeof said === 'string' ? said : expect.stringMatching(said) });
    expect(ledger.asked.filter(({ method }) => method === 'POST')).toEqual([]);
  });

  it('shows its help and exits 2 when nothing is asked', async () => {
    const { code, out, err } = await vw({});
    expect([code, out]).toEqual([2, '']);
    expect(err).toContain('Usage: vw');
  });

  it('tells a refusal in one sentence with its reason and both sides', async () => {
    ledger.on(
      'POST /v1/workspaces/w1/check-out',
      refuses({
        status: 409,
        reason: 'LOCK_HELD',
        detail: 'Somebody else holds the lock',
        asked: { by: 'CN=ann' },
        found: { holder: 'CN=bob', epoch: 3, leaseUntil: Date.UTC(2030, 0, 1) },
      }),
    );
    expect(await vw({ url: ledger.url }, 'check-out', 'w1')).toEqual({
      code: 3,
      out: '',
      err: 'refused: LOCK_HELD: CN=bob holds it at epoch 3 until 2030-01-01T00:00:00.000Z\n',
    });
    const forPrograms = await vw({ url: ledger.url }, 'check-out', 'w1', '--json');
    expect(forPrograms).toMatchObject({ code: 3, out: '' });
    expect(JSON.parse(forPrograms.err)).toMatchObject({
      status: 409,
      reason: 'LOCK_HELD',
      found: { holder: 'CN=bob' },
    });
  });

  it('lets the ledger speak where it knows no better sentence, and names every fault of an input', async () => {
    ledger.on(
      'POST /v1/workspaces/w1/check-in',
      refuses({ status: 409, reason: 'LOCK_HELD', detail: 'no facts came with it' }),
    );
    expect((await vw({ url: ledger.url }, 'check-in', 'w1')).err).toBe('refused: LOCK_HELD: no facts came with it\n');
    const problems = [
      { code: 'a', message: 'line 3: not a number' },
      { code: 'b', message: 'line 9: no such field \u001b[2J' },
    ];
    ledger.on(
      'POST /v1/workspaces',
      refuses({ status: 422, reason: 'INVALID_DESCRIPTION', detail: 'line 3: not a number', problems }),
    );
    expect(await vw({ url: ledger.url, stdin: 'name: x' }, 'create', '-f', '-')).toEqual({
      code: 3,
      out: '',
      err: 'refused: INVALID_DESCRIPTION: line 3: not a number\n  line 9: no such field \\u001b[2J\n',
    });
  });

  it.each([
    [404, 'NOT_FOUND', 4, 'not found'],
    [409, 'EXPIRED', 3, 'refused'],
    [503, 'STORE_UNAVAILABLE', 5, 'unreachable'],
    [504, 'VIEW_BEHIND', 6, 'timed out'],
  ])('exits by what a problem means: %i %s → %i', async (status, reason, code, word) => {
    ledger.on('GET /v1/hosts', refuses({ status, reason, detail: 'because' }));
    expect(await vw({ url: ledger.url }, 'hosts')).toEqual({ code, out: '', err: `${word}: ${reason}: because\n` });
  });

  it('says that nothing listens', async () => {
    await ledger.close();
    const { code, out, err } = await vw({ url: ledger.url }, 'ls');
    expect([code, out]).toEqual([5, '']);
    expect(err).toBe(
      `unreachable: nothing listens at ${ledger.url}/ (ECONNREFUSED); start a ledger with npm start, or set VW_URL\n`,
    );
    expect(JSON.parse((await vw({ url: ledger.url }, 'ls', '--json')).err)).toMatchObject({ reason: 'UNREACHABLE' });
  });

  it.each([
    ['a web page', 200, 'text/html', '<html>hello</html>'],
    ['JSON of another service', 200, 'application/json', '{"hello":"world"}'],
    ['a list', 200, 'application/json', '[]'],
    ['broken JSON', 200, 'application/json', '{"items":'],
    ['an error of another service', 404, 'application/json', '{"message":"Cannot GET"}'],
    ['an error without a body', 502, 'text/plain', ''],
    ['a redirection', 302, 'text/html', ''],
  ])('does not take %s for a ledger', async (_what, status, type, body) => {
    ledger.on('GET /v1/workspaces', (_asked, response) =>
      response.writeHead(status, { 'content-type': type }).end(body),
    );
    const { code, out, err } = await vw({ url: ledger.url }, 'ls');
    expect([code, out]).toEqual([5, '']);
    expect(err).toBe(
      `unreachable: what answers at ${ledger.url}/ is not a ledger (${status} ${type}); is VW_URL right?\n`,
    );
  });

  it('goes nowhere else than it was told to', async () => {
    ledger.on('GET /v1/elsewhere', answers(200, { items: [], position: 0 }));
    ledger.on('GET /v1/hosts', (_asked, response) => response.writeHead(302, { location: '/v1/elsewhere' }).end());
    expect(await vw({ url: ledger.url }, 'hosts', '--json')).toMatchObject({ code: 5, out: '' });
  });

  it('does not take something that speaks no HTTP for a ledger', async () => {
    const other = createServer((socket) => socket.end('SSH-2.0-OpenSSH_9.2\r\n')).listen(0, '127.0.0.1');
    await once(other, 'listening');
    const { code, err } = await vw({ url: `http://127.0.0.1:${(other.address() as AddressInfo).port}` }, 'ls');
    other.close();
    expect(code).toBe(5);
    expect(err).toContain('does not speak HTTP');
  });

  it.each([
    ['ls', '/v1/workspaces', { items: 5 }],
    ['hosts', '/v1/hosts', { items: [null] }],
    ['history', '/v1/workspaces/w1/history', { items: [], nextCursor: 'again' }],
  ])('does not believe a page for %s that no ledger gives', async (verb, path, page) => {
    ledger.on(`GET ${path}`, answers(200, page));
    const { code, err } = await vw({ url: ledger.url }, verb, ...(verb === 'history' ? ['w1', '--all'] : []));
    expect(code).toBe(5);
    expect(err).toContain('is not a ledger');
  });

  it('gives up an answer that has no end', async () => {
    const spaces = Buffer.alloc(1024 * 1024, ' ');
    ledger.on('GET /v1/hosts', (_asked, response) => {
      response.writeHead(200, { 'content-type': 'application/json' });
      const fill = () => {
        while (!response.destroyed && response.write(spaces));
      };
      response.on('drain', fill);
      fill();
    });
    const { code, err } = await vw({ url: ledger.url }, 'hosts');
    expect(code).toBe(5);
    expect(err).toContain('the connection gave no whole answer (TOO_LONG)');
  });

  it('names the command id when nobody can know whether the command was taken', async () => {
    ledger.on('POST /v1/workspaces/w1/retire', (_asked, response) => response.destroy());
    const { code, err } = await vw({ url: ledger.url }, 'retire', 'w1', '--reason', 'old', '--command-id', 'mine');
    expect(code).toBe(5);
    expect(err).toContain('--command-id mine repeats it safely');
  });

  it('says who asks: the given subject, the environment’s, or the user of the machine', async () => {
    const subjects = async (env: Record<string, string>, ...argv: string[]) => {
      await vw({ url: ledger.url, env }, ...argv);
      return Buffer.from(String(ledger.asked.at(-1)?.headers['vw-subject']), 'latin1').toString('utf8');
    };
    expect(await subjects({}, 'ls')).toBe('CN=ann');
    expect(await subjects({ VW_SUBJECT: 'CN=bob,O=Grid' }, 'ls')).toBe('CN=bob,O=Grid');
    expect(await subjects({ VW_SUBJECT: 'CN=bob' }, 'ls', '--as', 'CN=Jörg Ł')).toBe('CN=Jörg Ł');
  });

  it('gives each command an id of its own, unless told', async () => {
    await vw({ url: ledger.url }, 'check-out', 'w1');
    await vw({ url: ledger.url }, 'check-out', 'w1');
    await vw({ url: ledger.url }, 'check-out', 'w1', '--command-id', 'again');
    const ids = ledger.asked.filter(({ method }) => method === 'POST').map(({ headers }) => headers['idempotency-key']);
    expect(new Set(ids).size).toBe(3);
    expect(ids[2]).toBe('again');
  });

  it('is quiet when its reader goes away, and when it is interrupted', async () => {
    expect(await vw({ url: ledger.url, readerGoneAfter: 0 }, 'ls')).toEqual({ code: 0, out: '', err: '' });
    let reached = () => {};
    const asked = new Promise<void>((resolve) => (reached = resolve));
    ledger.on('GET /v1/hosts', () => reached());
    const running = start({ url: ledger.url }, 'hosts');
    await asked;
    running.interrupt();
    expect(await running.ended).toEqual({ code: 130, out: '', err: '' });
  });

  it('keeps a path in front of the ledger’s', async () => {
    ledger.on('GET /grid/v1/hosts', answers(200, { items: [], position: 0 }));
    expect(await vw({ url: `${ledger.url}/grid` }, 'hosts', '--json')).toMatchObject({ code: 0 });
  });
});
