/** What operators do to a stream, done by the official client. */
import { EventStoreDBClient } from '@eventstore/db-client';
import type { Administration } from './suite.js';

export function officialAdministration(location: string): Administration & { dispose(): Promise<void> } {
  const client = EventStoreDBClient.connectionString(location);
  return {
    delete: async (stream) => void (await client.deleteStream(stream)),
    tombstone: async (stream) => void (await client.tombstoneStream(stream)),
    setMetadata: async (stream, { $tb, $maxCount }) =>
      void (await client.setStreamMetadata(stream, {
        ...($tb === undefined ? {} : { truncateBefore: $tb }),
        ...($maxCount === undefined ? {} : { maxCount: $maxCount }),
      })),
    dispose: () => client.dispose(),
  };
}
