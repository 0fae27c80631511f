/**
 * EventStoreDB's protocol as the official client and raw clients see it, alike for every server that speaks it: a server's
 * spec is one call of this. Tests share one server and assume nothing of what else it holds, so that one with a history
 * can be put to the test as well.
 */
import { afterAll, beforeAll, describe } from 'vitest';
import { appends } from './protocol/appends.js';
import type { Bench } from './protocol/bench.js';
import { connections } from './protocol/connections.js';
import { deletions } from './protocol/deletions.js';
import { metadata } from './protocol/metadata.js';
import { rawCalls } from './protocol/raw-calls.js';
import { reads } from './protocol/reads.js';
import { subscriptions } from './protocol/subscriptions.js';
import { clientOf, type Server } from './server.js';

export function eventStoreDbProtocol(name: string, serve: () => Promise<Server>): void {
  describe(`the protocol of EventStoreDB: ${name}`, () => {
    const bench = {} as { -readonly [key in keyof Bench]: Bench[key] };

    beforeAll(async () => {
      bench.server = await serve();
      bench.client = clientOf(bench.server);
    });

    afterAll(async () => {
      await bench.client?.dispose();
      await bench.server?.stop();
    });

    describe('append', () => appends(bench));
    describe('read', () => reads(bench));
    describe('delete and tombstone', () => deletions(bench));
    describe('stream metadata', () => metadata(bench));
    describe('subscribe', () => subscriptions(bench));
    describe('connect', () => connections(bench));
    describe('raw calls', () => rawCalls(bench));
  });
}
