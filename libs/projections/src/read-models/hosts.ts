import { evolveHost, type HostEvent, type HostState, unknownHost } from '@vw/domain';
import type { DecodedHostEvent } from '../decode.js';
import type { HostRow } from '../folds/hosts.js';
import type { Db, ReadModel, View } from '../view.js';
import { Aggregates } from './aggregates.js';
import { RowBuffer } from './row-buffer.js';

interface Stored {
  readonly state: string;
  readonly updatedAt: number;
  readonly workspaces: number;
}

const columns = ['hostId', 'updatedAt', 'state'] as const;

export const hostsView: View<Hosts> = {
  tables: 'CREATE TABLE hosts (hostId TEXT PRIMARY KEY, updatedAt INTEGER NOT NULL, state TEXT NOT NULL) STRICT;',
  indexes: '',
  canonical: `SELECT ${columns.join(', ')} FROM hosts ORDER BY hostId`,
  json: ['state'],
  open: (db, cachedStates) => new Hosts(db, cachedStates),
};

export class Hosts implements ReadModel {
  readonly #aggregates: Aggregates<HostState, HostEvent>;
  readonly #rows: RowBuffer;
  readonly #get;
  readonly #all;

  constructor(db: Db, cachedStates: number) {
    this.#aggregates = new Aggregates(
      { initial: unknownHost, evolve: evolveHost, load: (id) => this.get(id) },
      cachedStates,
    );
    this.#rows = new RowBuffer(db, 'INSERT OR REPLACE INTO hosts', columns);
    const select = `SELECT state, updatedAt, (SELECT count(*) FROM workspaces WHERE workspaces.hostId = hosts.hostId) AS workspaces FROM hosts`;
    this.#get = db.prepare<[string], Stored>(`${select} WHERE hostId = ?`);
    this.#all = db.prepare<[], Stored>(`${select} ORDER BY hostId`);
  }

  fold(event: DecodedHostEvent): void {
    this.#aggregates.fold(event);
  }

  write(): void {
    for (const { state, updatedAt } of this.#aggregates.takeChanged()) {
      this.#rows.add(state.hostId, updatedAt, JSON.stringify(state));
    }
    this.#rows.write();
  }

  forget(): void {
    this.#aggregates.forget();
    this.#rows.forget();
  }

  get(id: string): HostRow | undefined {
    const stored = this.#get.get(id);
    return stored && hostRow(stored);
  }

  /** In order of id. */
  all(): HostRow[] {
    return this.#all.all().map(hostRow);
  }
}

function hostRow({ state, ...row }: Stored): HostRow {
  return { ...row, state: JSON.parse(state) as HostState };
}
