import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type Server, type Socket } from 'node:net';
import { once } from 'node:events';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Timers } from '@vw/runtime';
import { systemTimers } from '@vw/runtime';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { QmpConnection, QmpRefusal, QmpSilence, type QmpEvent } from './qmp.js';

const GREETING = '{"QMP": {"version": {}, "capabilities": []}}\n';
/** A clock whose hands are always at the end of the wait. */
const impatient: Timers = { sleep: () => Promise.resolve() };

describe('a QMP connection', () => {
  let folder: string;
  let server: Server | undefined;
  let peers: Socket[];

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'qmp-'));
    peers = [];
  });

  afterEach(async () => {
    for (const peer of peers) peer.destroy();
    server?.close();
    server = undefined;
    await rm(folder, { recursive: true, force: true });
  });

  /** A stand-in for QEMU: says `greeting`, then answers each line by the rule that is given. */
  async function standIn(greeting: string, answer: (line: { execute: string; id: number }) => string): Promise<string> {
    server = createServer((socket) => {
      peers.push(socket);
      socket.on('error', () => undefined);
      socket.write(greeting);
      socket.on('data', (bytes) => {
        for (const line of bytes.toString().trim().split('\n'))
          socket.write(answer(JSON.parse(line) as { execute: string; id: number }));
      });
    });
    const path = join(folder, 's');
    await once(server.listen(path), 'listening');
    return path;
  }

  const obedient = ({ id }: { id: number }): string => `{"return": {"ran": ${id}}, "id": ${id}}\n`;

  it('gives each command its own answer, whatever comes in between and however it is cut into pieces', async () => {
    const events: QmpEvent[] = [];
    const path = await standIn(
      GREETING,
      ({ execute, id }) => `{"event": "E", "data": {"of": "${execute}"}}\r\n${obedient({ id })}`,
    );
    const connection = await QmpConnection.open(path, systemTimers, (event) => events.push(event));
    expect(await Promise.all([connection.execute('a'), connection.execute('b')])).toEqual([{ ran: 2 }, { ran: 3 }]);
    expect(events).toContainEqual({ event: 'E', data: { of: 'b' } });
    connection.close();
  });

  it('tells a refusal from silence', async () => {
    const path = await standIn(GREETING, ({ execute, id }) =>
      execute === 'nonsense'
        ? `{"error": {"class": "CommandNotFound", "desc": "no such thing"}, "id": ${id}}\n`
        : obedient({ id }),
    );
    const connection = await QmpConnection.open(path, systemTimers, () => undefined);
    await expect(connection.execute('nonsense')).rejects.toThrow(QmpRefusal);
    for (const peer of peers) peer.destroy();
    await connection.closed;
    await expect(connection.execute('anything')).rejects.toThrow(QmpSilence);
  });

  it('ends what is asked when the connection ends', async () => {
    const path = await standIn(GREETING, ({ execute, id }) => {
      if (execute === 'die') for (const peer of peers) peer.destroy();
      return obedient({ id });
    });
    const connection = await QmpConnection.open(path, systemTimers, () => undefined);
    await expect(connection.execute('die')).rejects.toThrow(QmpSilence);
  });

  it('waits for no greeting and no answer longer than it may', async () => {
    await expect(QmpConnection.open(await standIn('', obedient), impatient, () => undefined)).rejects.toThrow(
      'greeting',
    );
  });

  it('refuses a peer that is not there, that does not speak QMP, or whose line has no end', async () => {
    await expect(QmpConnection.open(join(folder, 'nobody'), systemTimers, () => undefined)).rejects.toThrow(QmpSilence);
    await expect(
      QmpConnection.open(await standIn('HTTP/1.1 400\n', obedient), systemTimers, () => undefined),
    ).rejects.toThrow(QmpSilence);
    server?.close();
    await rm(join(folder, 's'), { force: true });
    const endless = await standIn('x'.repeat(2 << 20), obedient);
    await expect(QmpConnection.open(endless, systemTimers, () => undefined)).rejects.toThrow(QmpSilence);
  });
});
