/**
 * The KurrentDB adapter keeps the port's contract: against the facade in a process of its own, and against the server that
 * VW_TEST_KURRENTDB names, where it does: a single node without TLS, `esdb://host:port?tls=false`.
 */
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import type { Socket } from 'node:net';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { EventStore } from '@vw/event-store';
import { openStore } from '@vw/event-store';
import { createLogger, systemClock, systemIds, systemRandom, systemTimers } from '@vw/runtime';
import { afterAll, beforeAll, describe } from 'vitest';
import type { Program } from '../../support/program.js';
import { runProgram } from '../../support/program.js';
import { until } from './account.js';
import { officialAdministration } from './official-administration.js';
import type { OpenedStore } from './suite.js';
import { eventStoreContract } from './suite.js';

const facadeProgram = join(import.meta.dirname, 'facade-server.program.ts');

const context = {
  clock: systemClock,
  timers: systemTimers,
  ids: systemIds,
  random: systemRandom,
  logger: createLogger('warn'),
};

/** A server that the tests of one form share. */
interface Server {
  location(): string;
  /** `kill -9` and a new start at the same address, or what comes nearest. */
  crash(): Promise<void>;
}

async function openOn(server: Server): Promise<OpenedStore> {
  const location = server.location();
  const administration = officialAdministration(location);
  const store = await openStore(location, context);
  let current: EventStore = store;
  return {
    store,
    location,
    administration,
    reopen: async () => {
      await current.close();
      current = await openStore(location, context);
      return current;
    },
    crash: async (writers) => {
      await server.crash();
      const answered = count(writers.lines);
      await until(writers, (lines) => count(lines) > answered + 400);
    },
    dispose: async () => {
      await current.close();
      await administration.dispose();
    },
  };
}

function count(lines: readonly string[]): number {
  return lines.filter((line) => line.startsWith('ok ')).length;
}

describe('kurrentdb', () => {
  let folder: string;
  let facade: Program;
  let port = 0;

  const serve = async (): Promise<void> => {
    facade = runProgram(facadeProgram, join(folder, 'log.sqlite'), String(port));
    await facade.printed(1);
    port = Number(facade.lines[0]?.split(' ')[1]);
  };

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'vw-facade-'));
    await serve();
  });

  afterAll(async () => {
    await facade.kill();
    await rm(folder, { recursive: true, force: true });
  });

  eventStoreContract('kurrentdb on the facade', () =>
    openOn({
      location: () => `esdb://127.0.0.1:${port}?tls=false`,
      crash: async () => {
        await facade.kill();
        await serve();
      },
    }),
  );
});

const named = process.env['VW_TEST_KURRENTDB'];

if (named !== undefined)
  describe('kurrentdb', () => {
    const { hostname, port } = new URL(named);
    const sockets = new Set<Socket>();
    // The server is somebody else's: what can be broken is the way to it.
    const door = createServer((inside) => {
      const outside = connect(Number(port), hostname);
      for (const [one, other] of [
        [inside, outside],
        [outside, inside],
      ] as const) {
        sockets.add(one);
        one.pipe(other);
        one.on('error', () => other.destroy());
        one.on('close', () => {
          other.destroy();
          sockets.delete(one);
        });
      }
    });

    beforeAll(async () => {
      door.listen(0, '127.0.0.1');
      await once(door, 'listening');
    });

    afterAll(() => {
      door.close();
      for (const socket of sockets) socket.destroy();
    });

    eventStoreContract(`kurrentdb on ${hostname}:${port}`, () =>
      openOn({
        location: () => `esdb://127.0.0.1:${(door.address() as { port: number }).port}?tls=false`,
        crash: async () => {
          for (const socket of sockets) socket.destroy();
        },
      }),
    );
  });
