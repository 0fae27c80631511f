/**
 * Serves an event log in EventStoreDB's own gRPC protocol: Streams, ServerFeatures and Gossip. What is not served
 * (persistent subscriptions, projections, users, operations) answers UNIMPLEMENTED, because nothing is registered for it.
 */
import { Server } from '@grpc/grpc-js';
import type { Clock, Ids, Logger, Timers } from '@vw/runtime';
import { nameBasedId } from '@vw/runtime';
import type { EventLog } from '../log.js';
import { gossipServices, serverFeaturesServices, streamsServices } from '../protocol/index.js';
import { Access } from './access.js';
import type { FacadeUser } from './access.js';
import { append } from './append.js';
import { batchAppend } from './batch-append.js';
import { batchAppendDefinition } from './deadline.js';
import { getSupportedMethods } from './features.js';
import { readGossip } from './gossip.js';
import { credentialsFor, socketAddress } from './listener.js';
import type { TlsFiles } from './listener.js';
import { read } from './read.js';
import { strict } from './strict-reader.js';
import { softDelete, tombstone } from './remove.js';
import type { Room } from './room.js';

export type { FacadeUser } from './access.js';
export type { TlsFiles } from './listener.js';

export interface FacadeOptions {
  readonly log: EventLog;
  /** A name or an address; another than a loopback address needs `tls` and `users`. */
  readonly host: string;
  /** 0 for any that is free. */
  readonly port: number;
  readonly tls?: TlsFiles | undefined;
  /** The first is an administrator. Empty: everything is open, to this machine. */
  readonly users: readonly FacadeUser[];
  /** Beginnings of stream names that nobody may write, delete or give metadata through the facade. */
  readonly reserved: readonly string[];
  readonly clock: Clock;
  readonly ids: Ids;
  readonly timers: Timers;
  readonly logger: Logger;
}

export interface Facade {
  /** The port it listens on. */
  readonly port: number;
  /** Sends everybody away, lets what the log has taken be answered, and ends within a bound. The log stays open. Safe to call twice. */
  close(): Promise<void>;
}

/** Larger than any append, so that one that is too large is refused by its name, and small enough to hold. */
const LARGEST_MESSAGE_BYTES = 16 * 1024 * 1024;

/** Above the thousand subscriptions that one client may well have on its one connection. */
const CALLS_PER_CONNECTION = 2000;

/** Pings tell a connection that is half open: the official server's own times. */
const KEEPALIVE_MS = 10_000;

const CLOSE_WITHIN_MS = 5_000;

/**
 * @throws RangeError in one sentence, when the address needs TLS or users that are not there, or a user is named twice
 * @throws Error when the port cannot be listened on, or the certificate cannot be used
 */
export async function serveFacade(options: FacadeOptions): Promise<Facade> {
  const { log, host, clock, ids, timers, logger } = options;
  const credentials = credentialsFor(options);
  const closing = new AbortController();
  const access = new Access(log, options.users, options.reserved);
  const room: Room = { log, access, clock, timers, logger, closing: closing.signal };
  const server = new Server({
    'grpc.max_receive_message_length': LARGEST_MESSAGE_BYTES,
    'grpc.max_concurrent_streams': CALLS_PER_CONNECTION,
    'grpc.keepalive_time_ms': KEEPALIVE_MS,
    'grpc.keepalive_timeout_ms': KEEPALIVE_MS,
    'grpc.enable_channelz': 0,
  });

  const {
    read: readMethod,
    append: appendMethod,
    delete: deleteMethod,
    tombstone: tombstoneMethod,
  } = streamsServices.StreamsService;
  const streamsService = {
    read: strict(readMethod),
    append: strict(appendMethod),
    delete: strict(deleteMethod),
    tombstone: strict(tombstoneMethod),
    batchAppend: batchAppendDefinition,
  };
  const gossipService = { read: strict(gossipServices.GossipService.read) };
  const featuresService = {
    getSupportedMethods: strict(serverFeaturesServices.ServerFeaturesService.getSupportedMethods),
  };
  let port = 0;
  server.addService(streamsService, {
    read: read(room, () => ids.next()),
    append: append(room),
    batchAppend: batchAppend(room),
    delete: softDelete(room),
    tombstone: tombstone(room),
  });
  server.addService(featuresService, {
    getSupportedMethods: getSupportedMethods([streamsService, gossipService, featuresService]),
  });
  server.addService(gossipService, {
    read: readGossip({ instanceId: nameBasedId('facade', ids.next()), host, port: () => port, clock }),
  });

  port = await listen(server, socketAddress(host, options.port), credentials);
  logger.info({ host, port, tls: options.tls !== undefined, users: options.users.length }, 'event store served');
  let closed: Promise<void> | undefined;
  return {
    port,
    close: () => {
      closing.abort();
      return (closed ??= shutDown(server, timers));
    },
  };
}

function listen(server: Server, address: string, credentials: Parameters<Server['bindAsync']>[1]): Promise<number> {
  return new Promise((resolve, reject) => {
    server.bindAsync(address, credentials, (error, port) => {
      if (error) reject(error);
      else resolve(port);
    });
  });
}

async function shutDown(server: Server, timers: Timers): Promise<void> {
  const settled = new AbortController();
  const gentle = new Promise<void>((resolve) => server.tryShutdown(() => resolve()));
  await Promise.race([gentle, timers.sleep(CLOSE_WITHIN_MS, settled.signal)]);
  settled.abort();
  server.forceShutdown();
}
