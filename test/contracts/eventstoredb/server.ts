/** A server of EventStoreDB's protocol as a test sees it: a connection string, and what follows from it. */
import { readFileSync } from 'node:fs';
import { EventStoreDBClient } from '@eventstore/db-client';
import { type ChannelCredentials, credentials, Metadata } from '@grpc/grpc-js';

export interface Server {
  /** `esdb://…` of one node. */
  readonly connectionString: string;
  stop(): Promise<void>;
}

/** The server's connection string with more parameters, say `{ throwOnAppendFailure: 'false' }`. */
export function withParameters(connectionString: string, parameters: Record<string, string>): string {
  const url = new URL(connectionString);
  for (const [name, value] of Object.entries(parameters)) url.searchParams.set(name, value);
  return url.href;
}

/** The server's connection string with a user's credentials in it. */
export function withUser(connectionString: string, username: string, password: string): string {
  return connectionString.replace('://', `://${encodeURIComponent(username)}:${encodeURIComponent(password)}@`);
}

/** The official client, as its documentation makes one. */
export function clientOf(
  server: Pick<Server, 'connectionString'>,
  parameters: Record<string, string> = {},
): EventStoreDBClient {
  return EventStoreDBClient.connectionString(withParameters(server.connectionString, parameters));
}

export interface Endpoint {
  /** `host:port`. */
  readonly target: string;
  readonly host: string;
  readonly port: number;
  /** What a client without the official one's help needs to be let in. */
  readonly channel: ChannelCredentials;
  readonly metadata: Metadata;
}

/** The same server, for clients that are made by hand. */
export function endpointOf({ connectionString }: Pick<Server, 'connectionString'>): Endpoint {
  const { host, hostname, port, username, password, searchParams } = new URL(connectionString);
  const authority = searchParams.get('tlsCAFile');
  const metadata = new Metadata();
  const secret = `${decodeURIComponent(username)}:${decodeURIComponent(password)}`;
  if (username !== '') metadata.set('authorization', `Basic ${Buffer.from(secret).toString('base64')}`);
  return {
    target: host,
    host: hostname,
    port: Number(port),
    channel:
      searchParams.get('tls') === 'false'
        ? credentials.createInsecure()
        : credentials.createSsl(authority === null ? null : readFileSync(authority)),
    metadata,
  };
}
