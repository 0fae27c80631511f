/**
 * The ledger's log, wherever the settings put it: in the data folder, perhaps served to others from there; or in a store elsewhere, which may be started after
 * this process, be away for a while, and come back.
 */
import { readFile } from 'node:fs/promises';
import {
  type EventLog,
  type EventStore,
  openEmbeddedStore,
  openKurrentStore,
  serveFacade,
  type StoreContext,
  StoreUnavailable,
} from '@vw/event-store';
import { embedded, placeOf } from './config/connection.js';
import { ConfigurationError } from './config/load.js';
import type { Address, Settings } from './config/settings.js';

export interface OpenedStore {
  readonly store: EventStore;
  /** Whether it is in another process, and therefore goes and comes back by itself. */
  readonly elsewhere: boolean;
  /** For clients of EventStoreDB; undefined when the log is not served from here. */
  readonly servedAt: string | undefined;
  close(): Promise<void>;
}

/** Whoever sends a command waits so long for a store that is away, and is told that it is. */
const patienceMs = 5000;

/** Only the ledger writes these, each event decided on the stream's state: nobody else may, least of all by accident. */
const reserved = ['workspace-', 'host-', 'image-', 'pool-'];

/**
 * Opens the log; one that is elsewhere may still be out of reach afterwards.
 * @throws ConfigurationError, StoreInUse, UnknownStoreFormat, StoreUnavailable; Error in one sentence when it cannot be served
 */
export async function openLedgerStore(settings: Settings, log: string, context: StoreContext): Promise<OpenedStore> {
  if (settings.store !== embedded) {
    const store = await openKurrentStore({ location: settings.store, ...context, patienceMs }).catch(asSetting);
    return { store, elsewhere: true, servedAt: undefined, close: () => store.close() };
  }
  const { clock, logger } = context;
  const store = await openEmbeddedStore({ file: log, clock, logger });
  const { storeListen } = settings;
  if (storeListen === undefined) return { store, elsewhere: false, servedAt: undefined, close: () => store.close() };
  try {
    const facade = await serve(store, storeListen, settings, context);
    return {
      store,
      elsewhere: false,
      servedAt: facade.connection,
      async close() {
        await facade.close();
        await store.close();
      },
    };
  } catch (error) {
    await store.close();
    throw error;
  }
}

async function serve(
  log: EventLog,
  { host, port }: Address,
  settings: Settings,
  context: StoreContext,
): Promise<{ readonly connection: string; close(): Promise<void> }> {
  const tls = await tlsOf(settings);
  const name = host.includes(':') ? `[${host}]` : host;
  const options = { log, host, port, users: settings.storeUsers, reserved, tls, ...context };
  const facade = await serveFacade(options).catch((cause: unknown) => {
    throw new Error(`the log cannot be served at ${name}:${port}: ${whyNotServed(cause)}`);
  });
  return { connection: `esdb://${name}:${facade.port}?tls=${tls !== undefined}`, close: () => facade.close() };
}

/** What is wrong with a connection string is wrong with the setting. */
function asSetting(error: unknown): never {
  if (error instanceof RangeError) throw new ConfigurationError(`VW_STORE: ${error.message}`, { cause: error });
  throw error;
}

/** What gRPC and OpenSSL call it, and what it means to whoever set the address and the files. */
const obstacles: readonly (readonly [RegExp, string])[] = [
  [/EADDRINUSE/, 'another program listens there; VW_STORE_LISTEN names another port'],
  [/EADDRNOTAVAIL/, 'this machine has no such address'],
  [/EACCES/, 'this user may not listen there'],
  [/PEM|SSL|key values/i, 'VW_STORE_TLS_CERT and VW_STORE_TLS_KEY are not a certificate and its key in PEM'],
];

function whyNotServed(cause: unknown): string {
  const message = cause instanceof Error ? cause.message : String(cause);
  return obstacles.find(([known]) => known.test(message))?.[1] ?? message;
}

async function tlsOf({ storeTlsCert, storeTlsKey }: Settings) {
  if (storeTlsCert === undefined || storeTlsKey === undefined) return undefined;
  const certificate = await readNamed('VW_STORE_TLS_CERT', storeTlsCert);
  return { certificate, key: await readNamed('VW_STORE_TLS_KEY', storeTlsKey) };
}

async function readNamed(variable: string, file: string): Promise<Buffer> {
  return readFile(file).catch((cause: unknown) => {
    throw new Error(`${variable} names a file that cannot be read`, { cause });
  });
}

const firstPauseMs = 250;
const longestPauseMs = 2000;

/** Repeats what a store elsewhere could not do yet, until it can or the time is over. */
export type Patience = <T>(work: () => Promise<T>) => Promise<T>;

/**
 * How a start waits for its store, as a service does whose store is started beside it. The time is that of the whole start, however many things wait.
 * @param progress told once, when there is something to wait for
 */
export function patienceFor(
  settings: Settings,
  { clock, timers }: Pick<StoreContext, 'clock' | 'timers'>,
  progress: (step: string) => void,
): Patience {
  const { store, storeWaitSeconds } = settings;
  if (store === embedded) return (work) => work();
  const place = placeOf(store);
  const endsAt = clock.monotonic() + storeWaitSeconds * 1000;
  let told = false;
  return async (work) => {
    for (let pauseMs = firstPauseMs; ; pauseMs = Math.min(2 * pauseMs, longestPauseMs)) {
      try {
        return await work();
      } catch (error) {
        if (!(error instanceof StoreUnavailable)) throw error;
        if (clock.monotonic() + pauseMs > endsAt) {
          throw new Error(`the store at ${place} did not answer within ${storeWaitSeconds} s`, { cause: error });
        }
        if (!told) progress(`waiting up to ${storeWaitSeconds} s for the store at ${place}`);
        told = true;
      }
      await timers.sleep(pauseMs);
    }
  };
}
