/** Finding the server: connection strings of one node and of several. */
import { createServer } from 'node:net';
import { EventStoreDBClient } from '@eventstore/db-client';
import { afterEach, expect, it } from 'vitest';
import { anew, numbered, numbersIn } from '../events.js';
import { endpointOf, withParameters } from '../server.js';
import type { Bench } from './bench.js';

export function connections(bench: Bench): void {
  const made: EventStoreDBClient[] = [];
  /** The server's connection string with other hosts, or another scheme, or more parameters. */
  const variant = (change: {
    hosts?: readonly string[];
    scheme?: string;
    parameters?: Record<string, string>;
  }): string => {
    const { target } = endpointOf(bench.server);
    const text = withParameters(bench.server.connectionString, change.parameters ?? {});
    return text.replace(target, (change.hosts ?? [target]).join(',')).replace(/^[^:]+(?=:)/, change.scheme ?? 'esdb');
  };
  const works = async (connectionString: string): Promise<void> => {
    const client = EventStoreDBClient.connectionString(connectionString);
    made.push(client);
    const stream = anew('connected');
    await client.appendToStream(stream, numbered(2), { requiresLeader: true });
    expect(await numbersIn(client, stream)).toEqual([0, 1]);
  };

  afterEach(async () => {
    await Promise.all(made.splice(0).map((client) => client.dispose()));
  });

  it('to one node', () => works(variant({})));

  it('to one of several, found by gossip', async () => {
    const { target } = endpointOf(bench.server);
    await works(variant({ hosts: [target, target] }));
  });

  it('to the one of several that lives', async () => {
    const { target } = endpointOf(bench.server);
    await works(variant({ hosts: [`127.0.0.1:${await deafPort()}`, target] }));
  });

  it('by discovery', () => works(variant({ scheme: 'esdb+discover' })));

  it('by discovery, to a follower where there is one', () =>
    works(variant({ scheme: 'esdb+discover', parameters: { nodePreference: 'follower' } })));

  it('with a name and its own deadline', () =>
    works(variant({ parameters: { connectionName: 'a test', defaultDeadline: '30000' } })));
}

/** A port on which nobody listens: taken for a moment, and given back. */
async function deafPort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  return typeof address === 'object' && address !== null ? address.port : 0;
}
