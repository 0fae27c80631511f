/** What takes longer than one answer: watching events, following a console, sending an image. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { EventView } from '@vw/contracts';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { answers, refuses, type StandIn, standIn, workspace } from '../testing/ledger.js';
import { start, vw } from '../testing/terminal.js';

function event(position: number): EventView {
  return {
    position,
    stream: 'workspace-w1',
    revision: position,
    eventId: `e${position}`,
    type: 'WorkspaceStarted',
    recordedAt: '2026-01-01T00:00:00.000Z',
    observedAt: null,
    actor: 'CN=ann',
    commandId: null,
    data: { hostId: 'local', epoch: 1 },
  };
}

const message = (position: number) =>
  `id: ${position}\nevent: WorkspaceStarted\ndata: ${JSON.stringify(event(position))}\n\n`;

describe('streaming', () => {
  let ledger: StandIn;
  beforeEach(async () => {
    ledger = await standIn();
    ledger.workspaces = [workspace()];
  });
  afterEach(() => ledger.close());

  describe('watch', () => {
    /** One connection after another sends these pieces and ends; the last one stays open. */
    function sends(...connections: string[][]): void {
      ledger.on('GET /v1/events', async (_asked, response) => {
        response.writeHead(200, { 'content-type': 'text/event-stream; charset=utf-8' });
        response.flushHeaders();
        const pieces = connections.shift() ?? [];
        for (const piece of pieces) response.write(piece);
        if (connections.length > 0) response.end();
      });
    }

    const opened = () => ledger.asked.filter(({ path }) => path === '/v1/events');

    it('prints each event once, in order, across broken connections', async () => {
      const half = message(10).slice(0, 20);
      sends([': hello\n\n', message(8), message(9), half], [message(9), message(10)], [message(11)]);
      const running = start({ url: ledger.url }, 'watch', '--json');
      await running.shown('"e11"');
      running.interrupt();
      const { code, out } = await running.ended;
      expect(code).toBe(130);
      expect(
        out
          .trimEnd()
          .split('\n')
          .map((line) => (JSON.parse(line) as EventView).position),
      ).toEqual([8, 9, 10, 11]);
      expect(opened().map(({ headers, query }) => [headers['last-event-id'], query.get('after')])).toEqual([
        ['7', '7'],
        ['9', '9'],
        ['10', '10'],
      ]);
    });

    it('tells an event in a line, and keeps to one workspace', async () => {
      sends([`event: caught-up\ndata: {"position":12}\n\n`, message(8)]);
      const running = start({ url: ledger.url }, 'watch', 'blast', '--after', '3');
      await running.shown('\n');
      running.interrupt();
      expect((await running.ended).out).toBe(
        '2026-01-01T00:00:00.000Z  workspace-w1  WorkspaceStarted  hostId=local epoch=1\n',
      );
      expect(Object.fromEntries(opened()[0]?.query ?? [])).toEqual({ workspace: 'w1', after: '3' });
    });

    it('ends when the ledger refuses, or is none', async () => {
      ledger.on('GET /v1/events', refuses({ status: 403, reason: 'FORBIDDEN', detail: 'not for you' }));
      expect(await vw({ url: ledger.url }, 'watch')).toEqual({
        code: 3,
        out: '',
        err: 'refused: FORBIDDEN: not for you\n',
      });
      await ledger.close();
      expect(await vw({ url: ledger.url }, 'watch')).toMatchObject({ code: 5 });
    });

    it('stops quietly when its reader is gone', async () => {
      sends([message(8), message(9)]);
      expect(await vw({ url: ledger.url, readerGoneAfter: 1 }, 'watch', '--json')).toMatchObject({ code: 0, err: '' });
    });
  });

  describe('serial', () => {
    let text = 'boot\nlogin: ';
    beforeEach(() => {
      text = 'boot\nlogin: ';
      ledger.on('GET /v1/workspaces/w1/serial', (asked, response) => {
        const from = Number(asked.query.get('from'));
        const next = Math.min(from + 7, text.length);
        answers(200, { text: text.slice(from, next), next })(asked, response);
      });
    });

    it('prints the console as it is, piece after piece', async () => {
      expect(await vw({ url: ledger.url }, 'serial', 'w1')).toEqual({ code: 0, out: text, err: '' });
      expect((await vw({ url: ledger.url }, 'serial', 'w1', '--from', '5')).out).toBe('login: ');
      expect(JSON.parse((await vw({ url: ledger.url }, 'serial', 'w1', '--json')).out)).toEqual({
        text,
        next: text.length,
      });
    });

    it('follows until interrupted', async () => {
      const running = start({ url: ledger.url }, 'serial', 'w1', '-f');
      await running.shown('login: ');
      text += 'root\n';
      await running.shown('root\n');
      running.interrupt();
      expect(await running.ended).toEqual({ code: 130, out: 'boot\nlogin: root\n', err: '' });
    });
  });

  describe('images add', () => {
    let folder: string;
    beforeEach(async () => (folder = await mkdtemp(join(tmpdir(), 'vw-cli-'))));
    afterEach(() => rm(folder, { recursive: true }));

    const added = {
      imageId: 'i',
      name: 'tiny',
      digest: `sha256:${'a'.repeat(64)}`,
      kind: 'disk',
      sizeBytes: 3_000_000,
      revision: 0,
      position: 1,
    };

    it.each(['images', 'image'])('vw %s add streams the file and says what it became', async (command) => {
      const bytes = Buffer.alloc(3_000_000, 'tiny');
      await writeFile(join(folder, 'disk'), bytes);
      ledger.on('POST /v1/images', answers(201, added));
      const { code, out } = await vw(
        { url: ledger.url },
        command,
        'add',
        join(folder, 'disk'),
        '--name',
        'tiny',
        '--arch',
        'x86',
      );
      expect([code, out]).toEqual([0, `added tiny: disk of 2.86 MiB, ${added.digest}\n`]);
      const sent = ledger.asked.at(-1);
      expect(sent?.body.equals(bytes)).toBe(true);
      expect(sent?.headers['content-type']).toBe('application/octet-stream');
      expect(Object.fromEntries(sent?.query ?? [])).toEqual({ name: 'tiny', kind: 'auto', architecture: 'x86' });
    });

    it('tells a refusal', async () => {
      await writeFile(join(folder, 'disk'), 'x');
      ledger.on('POST /v1/images', refuses({ status: 422, reason: 'INVALID', detail: 'no multiboot header' }));
      const { code, err } = await vw(
        { url: ledger.url },
        'images',
        'add',
        join(folder, 'disk'),
        '--name',
        'tiny',
        '--kind',
        'kernel',
      );
      expect(code).toBe(3);
      expect(err).toContain('refused: INVALID: no multiboot header\n');
    });

    it('lists what is there', async () => {
      const image = { ...added, architecture: 'x86', status: 'available' };
      ledger.on('GET /v1/images', answers(200, { items: [image], position: 1 }));
      expect((await vw({ url: ledger.url }, 'images')).out).toMatch(
        /^tiny {2}disk {2}x86 {3}2\.86 MiB {2}available {2}sha256:aaaaaaaaaaaa$/m,
      );
      expect((await vw({ url: ledger.url }, 'image', 'ls', '--json')).out).toContain(added.digest);
    });
  });
});
