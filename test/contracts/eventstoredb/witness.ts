/**
 * A well-behaved user of a server under attack: appends one event after another, each with the revision it expects, and
 * follows its own stream. Nothing of it may get lost, be repeated, or take longer than a user would put up with.
 */
import type { ResolvedEvent } from '@eventstore/db-client';
import { anew, collect, type Follower, follow, numbered, numbersOf } from './events.js';
import { clientOf, type Server } from './server.js';

const PAUSE_MS = 20;

export interface Witness {
  /** Milliseconds that its slowest append has taken since this was asked for the last time. */
  slowestAppendMs(): number;
  /** Appends once more from now, and hears of it. @throws whatever an append of it has thrown */
  goesOn(): Promise<void>;
  /** How many it has written by now, and the numbers that a reader and its subscriber see after that. */
  account(): Promise<{ written: number; read: number[]; followed: number[] }>;
  stop(): Promise<void>;
}

export async function startWitness(server: Server): Promise<Witness> {
  const client = clientOf(server);
  const stream = anew('witness');
  let written = 0;
  let slowest = 0;
  let stopped = false;
  await client.appendToStream(stream, numbered(1), { expectedRevision: 'no_stream' });
  written = 1;
  const follower: Follower = follow(client.subscribeToStream(stream));
  const writing = (async () => {
    while (!stopped) {
      const began = performance.now();
      await client.appendToStream(stream, numbered(1, 'Witnessed', written), { expectedRevision: BigInt(written - 1) });
      written += 1;
      slowest = Math.max(slowest, performance.now() - began);
      await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
    }
  })();
  writing.catch(() => undefined); // told by goesOn
  return {
    slowestAppendMs() {
      const ms = slowest;
      slowest = 0;
      return ms;
    },
    async goesOn() {
      await Promise.race([follower.reached(written + 2), writing]);
    },
    async account() {
      const writtenBefore = written;
      const read: ResolvedEvent[] = await collect(client.readStream(stream));
      await follower.reached(read.length);
      return { written: writtenBefore, read: numbersOf(read), followed: numbersOf(follower.events) };
    },
    async stop() {
      stopped = true;
      await writing;
      await follower.stop();
      await client.dispose();
    },
  };
}
