/** A facade in the test's own process over an embedded log of its own, and both ways to talk to it. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import client from '@eventstore/db-client';
import type { EventStoreDBClient } from '@eventstore/db-client';
import services from '@eventstore/db-client/generated/streams_grpc_pb.js';
import { credentials } from '@grpc/grpc-js';
import type { EventLog, Facade, FacadeOptions } from '@vw/event-store';
import { openEmbeddedStore, serveFacade } from '@vw/event-store';
import { silentLogger, systemClock, systemIds, systemTimers } from '@vw/runtime';
import { onTestFinished } from 'vitest';

export interface ServedFacade {
  readonly facade: Facade;
  readonly log: EventLog;
  /** The official client. */
  readonly db: EventStoreDBClient;
  /** The generated stubs, for what the official client cannot say. */
  readonly raw: services.StreamsClient;
  /** Where it listens, as gRPC names it. */
  readonly address: string;
}

/** Serves until the test is over, log and facade by one clock. `wrap` may stand between the facade and the log. */
export async function servedFacade(
  options: Partial<FacadeOptions> = {},
  wrap: (log: EventLog) => EventLog = (log) => log,
): Promise<ServedFacade> {
  const folder = await mkdtemp(join(tmpdir(), 'facade-'));
  const { clock = systemClock } = options;
  const log = await openEmbeddedStore({ file: join(folder, 'log.sqlite'), clock });
  const facade = await serveFacade({
    log: wrap(log),
    host: '127.0.0.1',
    port: 0,
    users: [],
    reserved: [],
    clock,
    ids: systemIds,
    timers: systemTimers,
    logger: silentLogger,
    ...options,
  });
  const address = `127.0.0.1:${facade.port}`;
  const db = client.EventStoreDBClient.connectionString(`esdb://${address}?tls=false`);
  const raw = new services.StreamsClient(address, credentials.createInsecure());
  onTestFinished(async () => {
    await db.dispose();
    raw.close();
    await facade.close();
    await log.close();
    await rm(folder, { recursive: true });
  });
  return { facade, log, db, raw, address };
}

/** The log with some of its methods replaced. */
export function changed(log: EventLog, methods: Partial<EventLog>): EventLog {
  return new Proxy(log, {
    get(target, name: keyof EventLog) {
      return methods[name] ?? (target[name] as () => unknown).bind(target);
    },
  });
}

export async function collect<T>(from: AsyncIterable<T>, enough = Infinity): Promise<T[]> {
  const got: T[] = [];
  for await (const item of from) {
    got.push(item);
    if (got.length >= enough) break;
  }
  return got;
}
