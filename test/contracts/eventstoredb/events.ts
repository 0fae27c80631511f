/** What the tests of this folder append, and how they gather what they read. */
import { randomUUID } from 'node:crypto';
import type {
  AllStreamResolvedEvent,
  AllStreamSubscription,
  EventStoreDBClient,
  JSONEventData,
  ResolvedEvent,
  StreamSubscription,
} from '@eventstore/db-client';
import { jsonEvent } from '@eventstore/db-client';

/** A stream's name that no other test has, so that servers with a history of their own can be put to the test too. */
export const anew = (label: string): string => `${label}-${randomUUID()}`;

/** Numbered JSON events. */
export function numbered(count: number, type = 'Numbered', from = 0): JSONEventData[] {
  return Array.from({ length: count }, (_, index) => jsonEvent({ type, data: { number: from + index } }));
}

export async function collect<T>(items: AsyncIterable<T>): Promise<T[]> {
  const collected: T[] = [];
  for await (const item of items) collected.push(item);
  return collected;
}

/** The numbers of `numbered` events. */
export const numbersOf = (events: readonly (ResolvedEvent | AllStreamResolvedEvent)[]): number[] =>
  events.map(({ event }) => (event?.data as { number: number } | undefined)?.number ?? Number.NaN);

export const revisionsOf = (events: readonly (ResolvedEvent | AllStreamResolvedEvent)[]): number[] =>
  events.map(({ event }) => Number(event?.revision));

export async function numbersIn(client: EventStoreDBClient, stream: string): Promise<number[]> {
  return numbersOf(await collect(client.readStream(stream)));
}

/** A subscription, followed from when it is made. */
export interface Follower {
  readonly events: readonly ResolvedEvent[];
  /** Resolves once so many events are here. Rejects with what ended the subscription before. */
  reached(count: number): Promise<readonly ResolvedEvent[]>;
  /** Resolves once it has been told that it is caught up. */
  caughtUp(): Promise<void>;
  /** Resolves with the error that ended it. */
  readonly failed: Promise<Error>;
  /** Resolves when it has ended without one. */
  readonly ended: Promise<void>;
  stop(): Promise<void>;
}

export function follow(subscription: StreamSubscription | AllStreamSubscription): Follower {
  // Both kinds are this; that each has its own overloads of `on` is in the way.
  const followed = subscription as StreamSubscription;
  const events: ResolvedEvent[] = [];
  let caughtUp = false;
  let failure: Error | undefined;
  const failed = new Promise<Error>((resolve) => {
    followed.on('error', (error: Error) => {
      failure = error;
      resolve(error);
      followed.emit('moved');
    });
  });
  followed.on('data', (event: ResolvedEvent) => {
    events.push(event);
    followed.emit('moved');
  });
  followed.on('caughtUp', () => {
    caughtUp = true;
    followed.emit('moved');
  });
  const moved = async (enough: () => boolean): Promise<void> => {
    while (!enough()) {
      if (failure) throw failure;
      await new Promise((resolve) => followed.once('moved', resolve));
    }
  };
  return {
    events,
    failed,
    ended: new Promise((resolve) => followed.on('close', resolve).on('end', resolve)),
    async reached(count) {
      await moved(() => events.length >= count);
      return events;
    },
    caughtUp: () => moved(() => caughtUp),
    stop: () => followed.unsubscribe(),
  };
}

/** What a promise was rejected with. */
export async function refusal(promise: Promise<unknown>): Promise<unknown> {
  return promise.then(
    (value) => {
      throw new Error(`nothing was refused; the answer was ${String(value)}`);
    },
    (error: unknown) => error,
  );
}
