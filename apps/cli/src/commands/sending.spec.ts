import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { CommandAnswer, OperationView } from '@vw/contracts';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { answers, answerTo, operation, refuses, type StandIn, standIn, workspace } from '../testing/ledger.js';
import { vw } from '../testing/terminal.js';

describe('sending commands', () => {
  let ledger: StandIn;
  let folder: string;
  beforeEach(async () => {
    ledger = await standIn();
    ledger.workspaces = [workspace()];
    folder = await mkdtemp(join(tmpdir(), 'vw-cli-'));
  });
  afterEach(async () => {
    await ledger.close();
    await rm(folder, { recursive: true });
  });

  const posted = () => ledger.asked.filter(({ method }) => method === 'POST').at(-1);

  it.each([
    ['check-out w1', 'check-out', {}],
    ['check-out w1 --lease 2h', 'check-out', { leaseSeconds: 7200 }],
    ['check-in w1', 'check-in', {}],
    ['clone w1', 'clone', {}],
    ['clone w1 --name copy', 'clone', { name: 'copy' }],
    ['refine w1 --image tiny --vmm qemu', 'refine', { image: 'tiny', vmm: 'qemu' }],
    ['deploy w1', 'deploy', {}],
    ['deploy w1 --host h1 --image tiny --deadline 90', 'deploy', { host: 'h1', image: 'tiny', deadlineSeconds: 90 }],
    ['start w1 --from hot-image', 'start', { from: 'hot-image' }],
    ['pause w1', 'pause', {}],
    ['unpause w1 --deadline 1m', 'unpause', { deadlineSeconds: 60 }],
    ['serialise w1', 'serialise', {}],
    ['stop w1', 'stop', {}],
    ['stop w1 --hard --grace 5s', 'stop', { mode: 'hard', graceSeconds: 5 }],
    ['undeploy w1', 'undeploy', {}],
    ['cancel w1 -r why', 'cancel', { reason: 'why' }],
    ['renew w1', 'renew', { leaseSeconds: 3600 }],
    ['renew w1 --lease 1d', 'renew', { leaseSeconds: 86_400 }],
    ['set-lifetime w1 --forever', 'set-lifetime', { expiresAt: null }],
    ['set-lifetime w1 --for 7d', 'set-lifetime', { seconds: 604_800 }],
    ['set-lifetime w1 --until 2030-01-01T01:00:00+01:00', 'set-lifetime', { expiresAt: '2030-01-01T00:00:00.000Z' }],
    [
      'repair w1 -r fixed --discard-hot-image --image tiny',
      'repair',
      { reason: 'fixed', discardHotImage: true, image: 'tiny' },
    ],
    ['retire w1 -r old', 'retire', { reason: 'old' }],
    ['steal-lock w1 -r gone --lease 1h', 'steal-lock', { reason: 'gone', leaseSeconds: 3600 }],
    ['override w1 -r burnt', 'override', { reason: 'burnt' }],
  ])('vw %s', async (typed, verb, body) => {
    const { code, out } = await vw({ url: ledger.url }, ...typed.split(' '));
    expect(code).toBe(0);
    expect(out).toMatch(/w1/);
    expect(posted()?.path).toBe(`/v1/workspaces/w1/${verb}`);
    expect(JSON.parse(String(posted()?.body))).toEqual(body);
    expect(posted()?.headers['idempotency-key']).toMatch(/^[0-9a-f-]{36}$/);
  });

  it.each([
    [{}, 'w1 checked out (revision 3)\n'],
    [{ outcome: 'already-done' }, 'already done: check-out changes nothing about w1\n'],
    [{ outcome: 'repeated' }, 'repeated: command c1 had been taken, and w1 stays at revision 3\n'],
    [{ requestId: 'r1' }, 'check-out of w1 accepted (request r1)\n'],
  ] as [Partial<CommandAnswer>, string][])('says what came of it: %j', async (answer, said) => {
    ledger.on('POST /v1/workspaces/w1/check-out', answers(200, answerTo('w1', answer)));
    expect(await vw({ url: ledger.url }, 'check-out', 'w1')).toEqual({ code: 0, out: said, err: '' });
    const { out } = await vw({ url: ledger.url }, 'check-out', 'w1', '--json');
    expect(JSON.parse(out)).toEqual(answerTo('w1', answer));
  });

  it('hints at the next command on a terminal only', async () => {
    expect((await vw({ url: ledger.url, tty: true }, 'check-out', 'blast')).err).toBe('next: vw deploy blast\n');
    const npx = { npm_command: 'exec' };
    expect((await vw({ url: ledger.url, tty: true, env: npx }, 'check-out', 'blast')).err).toBe(
      'next: npx vw deploy blast\n',
    );
    expect((await vw({ url: ledger.url, tty: true }, 'check-out', 'blast', '--json')).err).toBe('');
  });

  describe('create', () => {
    it.each([
      ['w.yaml', 'name: x', 'application/yaml'],
      ['w.yml', '{"name":"x"}', 'application/yaml'],
      ['w.JSON', ' {"name":"x"}', 'application/json'],
      ['w.xml', '<workspace/>', 'application/xml'],
      ['w', '\ufeff \n<workspace/>', 'application/xml'],
      ['w', '\n {"name":"x"}', 'application/json'],
      ['w.txt', 'name: x', 'application/yaml'],
    ])('sends %s (%j) as %s, byte for byte', async (filename, text, mediaType) => {
      const file = join(folder, filename);
      await writeFile(file, text);
      expect(await vw({ url: ledger.url }, 'create', '-f', file, '--image', 'tiny')).toMatchObject({
        code: 0,
        out: 'created w-new\n',
      });
      expect(posted()).toMatchObject({ path: '/v1/workspaces', body: Buffer.from(text) });
      expect(posted()?.headers['content-type']).toBe(mediaType);
      expect(Object.fromEntries(posted()?.query ?? [])).toEqual({ image: 'tiny', filename });
    });

    it('reads standard input, and tells the reference and what the ledger noticed', async () => {
      const reference = { uri: 'http://ledger/v1/workspaces/w9', owner: 'CN=ann' };
      ledger.on(
        'POST /v1/workspaces',
        answers(201, answerTo('w9', { reference, notices: ['2 disks were read as 1'] })),
      );
      expect(await vw({ url: ledger.url, stdin: 'name: x' }, 'create', '-f', '-')).toEqual({
        code: 0,
        out: 'created w9\nreference http://ledger/v1/workspaces/w9\n',
        err: 'note: 2 disks were read as 1\n',
      });
      expect(Object.fromEntries(posted()?.query ?? [])).toEqual({});
    });
  });

  describe('refine', () => {
    it('sends a YAML description as an object', async () => {
      await vw({ url: ledger.url, stdin: 'name: x\nrequirements: {cpus: {min: 2}}' }, 'refine', 'w1', '-f', '-');
      expect(JSON.parse(String(posted()?.body))).toEqual({
        description: { name: 'x', requirements: { cpus: { min: 2 } } },
      });
    });

    it.each(['<workspace/>', 'a: [', 'just text'])('refuses %j', async (stdin) => {
      expect(await vw({ url: ledger.url, stdin }, 'refine', 'w1', '-f', '-')).toMatchObject({ code: 2, out: '' });
      expect(posted()).toBeUndefined();
    });
  });

  describe('--wait', () => {
    /** The operation goes through these, one for each time it is asked; the last one stays. */
    function goesThrough(...states: Partial<OperationView>[]): void {
      ledger.on('POST /v1/workspaces/w1/deploy', answers(202, answerTo('w1', { requestId: 'r1' })));
      ledger.on('GET /v1/operations/w1/r1', (asked, response) => {
        const state = states.length > 1 ? states.shift() : states[0];
        answers(200, operation(state))(asked, response);
      });
    }

    it('tells each step in a line of its own, and the end', async () => {
      goesThrough({}, {}, { cancelRequested: true }, { status: 'done', outcome: 'WorkspaceDeployed' });
      const { code, out, err } = await vw({ url: ledger.url }, 'deploy', 'w1', '--wait');
      expect(code).toBe(0);
      expect(out).toMatch(/^w1 deployed on local in \d\.\d s\n$/);
      expect(err.trimEnd().split('\n')).toEqual([
        expect.stringMatching(/^deploy w1 on local: staging … \d\.\d s$/),
        expect.stringMatching(/^deploy w1 on local: staging, asked to cancel … \d\.\d s$/),
      ]);
    });

    it('asks for a view that has seen its command', async () => {
      goesThrough({ status: 'done' });
      await vw({ url: ledger.url }, 'deploy', 'w1', '--wait');
      expect(ledger.asked.at(-1)?.query.get('after')).toBe('41');
    });

    it('rewrites one line of a terminal, and leaves it clean', async () => {
      goesThrough({}, {}, { status: 'done' });
      const { out, err } = await vw({ url: ledger.url, tty: true, columns: 30 }, 'deploy', 'w1', '--wait');
      expect(out).toContain('w1 deployed on local in');
      const [progress = '', hint] = err.split('next: ');
      expect(progress).not.toContain('\n');
      expect(progress.endsWith('\r\u001b[2K')).toBe(true);
      for (const shown of progress.split('\r\u001b[2K')) expect(shown.length).toBeLessThan(30);
      expect(hint).toBe('vw start w1\n');
    });

    it('takes no workspace for a number of seconds', async () => {
      goesThrough({ status: 'done' });
      expect(await vw({ url: ledger.url }, 'deploy', '--wait', 'w1')).toMatchObject({ code: 0 });
      expect(await vw({ url: ledger.url }, 'deploy', '--wait', '5', 'w1')).toMatchObject({ code: 0 });
    });

    it('exits 3 with class and reason when the operation failed', async () => {
      goesThrough({ status: 'failed', failure: { class: 'host', reason: 'disk full\u0007' } });
      const told = await vw({ url: ledger.url }, 'deploy', 'w1', '--wait');
      expect(told).toMatchObject({ code: 3, out: '' });
      expect(told.err).toContain('failed: deploy of w1 on local: host: disk full\\u0007\n');
      const forPrograms = await vw({ url: ledger.url }, 'deploy', 'w1', '--wait', '--json');
      expect(JSON.parse(forPrograms.out)).toMatchObject({
        outcome: 'accepted',
        requestId: 'r1',
        operation: { status: 'failed' },
      });
      expect(JSON.parse(forPrograms.err)).toMatchObject({
        reason: 'OPERATION_FAILED',
        operation: { failure: { class: 'host' } },
      });
      expect(forPrograms.code).toBe(3);
    });

    it('exits 3 when an operator’s override closed it', async () => {
      goesThrough({ status: 'overridden' });
      expect(await vw({ url: ledger.url }, 'deploy', 'w1', '--wait')).toMatchObject({ code: 3 });
    });

    it('exits 6 when the time is up, and says that it goes on', async () => {
      goesThrough({});
      const { code, out, err } = await vw({ url: ledger.url }, 'deploy', 'w1', '--wait', '1');
      expect([code, out]).toEqual([6, '']);
      expect(err).toContain('timed out: deploy of w1 is still open after 1 s, and goes on');
    });

    it('outlasts a ledger that is away for a moment', async () => {
      goesThrough({ status: 'done' });
      let times = 0;
      ledger.on('GET /v1/operations/w1/r1', (asked, response) => {
        if (times++ === 0) response.destroy();
        else if (times === 2) refuses({ status: 503, reason: 'STORE_UNAVAILABLE', detail: 'wait' })(asked, response);
        else answers(200, operation({ status: 'done' }))(asked, response);
      });
      const { code, err } = await vw({ url: ledger.url }, 'deploy', 'w1', '--wait');
      expect(code).toBe(0);
      expect(err).toContain('the ledger is away, asking again');
    });

    it('waits for nothing when it was done already', async () => {
      ledger.on('POST /v1/workspaces/w1/deploy', answers(200, answerTo('w1', { outcome: 'already-done' })));
      expect(await vw({ url: ledger.url }, 'deploy', 'w1', '--wait')).toMatchObject({
        code: 0,
        out: expect.stringContaining('already done'),
      });
    });
  });
});
