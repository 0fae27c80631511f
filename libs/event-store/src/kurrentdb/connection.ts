/**
 * A connection to KurrentDB: its official client, spoken to one storey below its own methods.
 *
 * The client brings discovery, TLS, credentials, keep-alive, the features of the server, and a new channel after
 * NotLeader or Unavailable. Its methods for events are left alone: they read and write JSON anew, which changes the
 * bytes, and its batches of all clients share one table that a single broken call empties.
 *
 * Every call asks for the leader: whoever has had an append acknowledged must find it when reading.
 */
import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { EventStoreDBClient } from '@eventstore/db-client';
import type { ChannelCredentialOptions, SingleNodeOptions } from '@eventstore/db-client/dist/Client/index.js';
import type {
  CallOptions,
  Client as GrpcClient,
  ClientDuplexStream,
  ClientReadableStream,
  Metadata,
} from '@grpc/grpc-js';
import type { streams } from '../protocol/index.js';
import { streamsServices } from '../protocol/index.js';
import type { Host, StoreLocation } from './location.js';
import { passing } from './failures.js';
import type { Means } from './patience.js';

const { StreamsClient, StreamsService } = streamsServices;

/** For as long as it is wanted. */
const NO_DEADLINE: CallOptions = { deadline: Number.POSITIVE_INFINITY };

/** How long the server may take to say what it can do. */
const FEATURES_WITHIN_MS = 10_000;

export type ReadCall = ClientReadableStream<streams.ReadResp>;
export type BatchCall = ClientDuplexStream<streams.BatchAppendReq, streams.BatchAppendResp>;

/** @throws RangeError when a certificate's file cannot be read */
export async function connectionTo(location: StoreLocation, means: Means): Promise<Connection> {
  const { authority, certificate, key } = location.files;
  const [rootCertificate, userCertFile, userKeyFile] = await Promise.all([pem(authority), pem(certificate), pem(key)]);
  return new Connection(location, { insecure: !location.tls, rootCertificate, userCertFile, userKeyFile }, means);
}

async function pem(file: string | undefined): Promise<Buffer | undefined> {
  if (file === undefined) return undefined;
  try {
    return await readFile(resolve(file));
  } catch (cause) {
    throw new RangeError(`${file}, which the connection string names, cannot be read`, { cause });
  }
}

export class Connection extends EventStoreDBClient {
  readonly #means: Means;
  #client: GrpcClient | undefined;

  constructor(location: StoreLocation, channel: ChannelCredentialOptions, means: Means) {
    // The client tells the three shapes of its settings apart by the one field in which they differ.
    super({ ...settingsOf(location), ...place(location) } as SingleNodeOptions, channel, location.credentials);
    this.#means = means;
  }

  /** Starts to read. A page has the client's own deadline, a subscription has none. */
  startRead(request: streams.ReadReq, lasting: 'page' | 'subscription'): Promise<ReadCall> {
    const [metadata, options] = this.#arguments(lasting === 'subscription' ? NO_DEADLINE : undefined);
    return this.GRPCStreamCreator(StreamsClient, 'read', (client) =>
      this.#using(client).read(request, metadata, options),
    )();
  }

  /** One lasting call for any number of appends. */
  startBatches(): Promise<BatchCall> {
    const [metadata, options] = this.#arguments(NO_DEADLINE);
    return this.GRPCStreamCreator(StreamsClient, 'batchAppend', (client) =>
      this.#using(client).batchAppend(metadata, options),
    )();
  }

  /** One append in a call of its own: the options, then the events. */
  appendAlone(requests: readonly streams.AppendReq[]): Promise<streams.AppendResp> {
    const [metadata, options] = this.#arguments();
    return this.execute(
      StreamsClient,
      'append',
      (client) =>
        new Promise((done, failed) => {
          const call = this.#using(client).append(metadata, options, (error, response) =>
            error ? failed(error) : done(response),
          );
          for (const request of requests) call.write(request);
          call.end();
        }),
    );
  }

  /** Whether the server takes batches; asked once for each connection made. */
  async takesBatches(): Promise<boolean> {
    const over = new AbortController();
    const tooLate = this.#means.timers.sleep(FEATURES_WITHIN_MS, over.signal).then(() => 'too-late' as const);
    try {
      const answer = await Promise.race([this.supports(StreamsService.batchAppend), tooLate]);
      if (answer === 'too-late') throw passing('the server did not say what it can do');
      return answer;
    } finally {
      over.abort();
    }
  }

  /** The node is no longer worth asking, though its channel is whole: the next call finds its node anew. */
  async distrust(failure: unknown): Promise<void> {
    if (this.#client) await this.handleError(this.#client, failure as Error);
  }

  /** Cancels every call and lets go of the network. */
  async close(): Promise<void> {
    await this.dispose();
    this.#client?.close();
  }

  #arguments(options?: CallOptions): [Metadata, CallOptions] {
    return this.callArguments({ requiresLeader: true }, options);
  }

  /** The official client keeps to itself which channel it uses; it is that of the last stub it gave out. */
  #using<C extends GrpcClient>(client: C): C {
    this.#client = client;
    return client;
  }
}

function settingsOf({ numbers, connectionName }: StoreLocation): object {
  return { ...numbers, ...(connectionName === undefined ? {} : { connectionName }) };
}

function place({ hosts, discover }: StoreLocation): object {
  if (discover) return { discover: hosts[0] as Host };
  return hosts.length === 1 ? { endpoint: hosts[0] as Host } : { endpoints: hosts };
}
