/**
 * The KurrentDB adapter keeps the port's contract: against the facade in a process of its own, and against the server that
 * VW_TEST_KURRENTDB names, where it does: a single node without TLS, `esdb://host:port?tls=false`. VW_TEST_KURRENTDB_RESTART may name a
 * program that kills that server and starts it again at the same address.
 */
import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { EventStore, RecordedEvent, SubscriptionItem } from '@vw/event-store';
import { openStore } from '@vw/event-store';
import { createLogger, systemClock, systemIds, systemRandom, systemTimers } from '@vw/runtime';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { Door } from '../../support/door.js';
import type { Program } from '../../support/program.js';
import { runProgram } from '../../support/program.js';
import { until } from './account.js';
import { officialAdministration } from './official-administration.js';
import type { OpenedStore } from './suite.js';
import { anew, collect, events, eventStoreContract } from './suite.js';

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
  readonly port: number;
  readonly host: string;
  /** `kill -9` and a new start at the same address. Absent: it is not ours to kill. */
  readonly crash?: () => Promise<void>;
}

function kurrentContract(name: string, server: () => Server): void {
  const open = async (): Promise<OpenedStore> => {
    const { port, host, crash } = server();
    // Who may not kill the server breaks the way to it.
    const door = await Door.before(port, host);
    const location = `esdb://127.0.0.1:${crash ? port : door.port}?tls=false`;
    const administration = officialAdministration(`esdb://${host}:${port}?tls=false`);
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
        const answered = acknowledged(writers.lines);
        if (crash) await crash();
        else door.slam();
        await until(writers, (lines) => acknowledged(lines) > answered + 400);
      },
      dispose: async () => {
        await current.close();
        await administration.dispose();
        door.remove();
      },
    };
  };

  eventStoreContract(name, open);

  describe(`${name}, beyond the suite`, () => {
    let opened: OpenedStore;
    let door: Door;
    let shaken: EventStore;

    beforeEach(async () => {
      opened = await open();
      const { port, host } = server();
      door = await Door.before(port, host);
      shaken = await openStore(`esdb://127.0.0.1:${door.port}?tls=false`, context);
    });

    afterEach(async () => {
      await shaken.close();
      door.remove();
      await opened.dispose();
    });

    it(
      'a subscription whose connection breaks again and again loses and repeats nothing, over long stretches of the server itself',
      { timeout: 120_000 },
      async () => {
        const { store, administration } = opened;
        const start = await store.head();
        const streams = Array.from({ length: 30 }, () => anew());
        for (const [index, stream] of streams.entries()) {
          await store.append(stream, 'no-stream', events(1 + (index % 7)));
          const own = index % 5 === 0 ? 130 : index % 3;
          await Promise.all(Array.from({ length: own }, () => administration.setMetadata(stream, { $maxCount: 99 })));
        }
        const live = anew();
        const writing = (async () => {
          for (let revision = 0; revision < 200; revision += 1) {
            await store.append(live, revision === 0 ? 'no-stream' : revision - 1, events(1));
          }
        })();
        const total = streams.reduce((sum, _, index) => sum + 1 + (index % 7), 0) + 200;
        const seen: string[] = [];
        for await (const item of shaken.subscribeAll(start, new AbortController().signal)) {
          if (item.kind === 'event') seen.push(item.event.id);
          if (seen.length % 40 === 0) door.slam();
          if (seen.length === total) break;
        }
        await writing;
        const ids = (await collect(store.readAll(start))).map(({ id }) => id);
        expect(seen).toEqual(ids);
      },
    );

    it(
      'a subscription that breaks while it is led over what is the server’s own misses nothing behind it',
      { timeout: 120_000 },
      async () => {
        const { store, administration } = opened;
        const items = shaken.subscribeAll(await store.head(), new AbortController().signal)[Symbol.asyncIterator]();
        const stream = anew();
        for (const [revision, own] of [1, 250, 251, 499, 500, 501, 1200].entries()) {
          const next = nextEvent(items);
          await Promise.all(Array.from({ length: own }, () => administration.setMetadata(stream, { $maxCount: 99 })));
          door.slam();
          const { position } = await store.append(stream, revision === 0 ? 'no-stream' : revision - 1, events(1));
          expect(await next).toMatchObject({ stream, revision, position });
        }
        await items.return?.();
      },
    );

    it('appends through a connection that breaks again and again are there once, in order', async () => {
      const stream = anew();
      const made = events(400);
      const results = made.map((event, index) => shaken.append(stream, index === 0 ? 'no-stream' : index - 1, [event]));
      for (let index = 20; index < 400; index += 60) {
        await results[index];
        door.slam();
      }
      expect((await Promise.all(results)).map(({ revision }) => revision)).toEqual(made.map((_, index) => index));
      const stored = await collect(opened.store.readStream(stream));
      expect(stored.map(({ id }) => id)).toEqual(made.map(({ id }) => id));
    });

    it('writers on two connections race for each revision, and one of them has it', async () => {
      const stream = anew();
      for (let revision = 0; revision < 20; revision += 1) {
        const expected = revision === 0 ? 'no-stream' : revision - 1;
        const outcomes = await Promise.allSettled(
          [opened.store, shaken].map((store) => store.append(stream, expected, events(1))),
        );
        expect(outcomes.map(({ status }) => status).toSorted()).toEqual(['fulfilled', 'rejected']);
      }
      expect(await collect(shaken.readStream(stream))).toHaveLength(20);
    });
  });
}

async function nextEvent(items: AsyncIterator<SubscriptionItem>): Promise<RecordedEvent> {
  for (;;) {
    const { value } = (await items.next()) as IteratorYieldResult<SubscriptionItem>;
    if (value.kind === 'event') return value.event;
  }
}

function acknowledged(lines: readonly string[]): number {
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

  kurrentContract('kurrentdb on the facade', () => ({
    port,
    host: '127.0.0.1',
    crash: async () => {
      await facade.kill();
      await serve();
    },
  }));
});

const named = process.env['VW_TEST_KURRENTDB'];

if (named !== undefined) {
  const { hostname, port } = new URL(named);
  const restart = process.env['VW_TEST_KURRENTDB_RESTART'];
  kurrentContract(`kurrentdb on ${hostname}:${port}`, () => ({
    port: Number(port),
    host: hostname,
    ...(restart === undefined ? {} : { crash: async () => void (await promisify(execFile)(restart)) }),
  }));
}
