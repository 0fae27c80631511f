/** What each part of the suite is given: the server, and one client of it that all of them use. */
import type { EventStoreDBClient } from '@eventstore/db-client';
import type { Server } from '../server.js';

export interface Bench {
  readonly server: Server;
  readonly client: EventStoreDBClient;
}
