import {
  evolve,
  type Instant,
  type PaperState,
  unborn,
  type WorkspaceEvent,
  type WorkspaceId,
  type WorkspaceState,
} from '@vw/domain';
import { type Page, page, type Paging, startOf } from '../cursor.js';
import type { DecodedWorkspaceEvent } from '../decode.js';
import { workspaceKeys, type WorkspaceRow } from '../folds/workspaces.js';
import type { Db, ReadModel, View } from '../view.js';
import { Aggregates } from './aggregates.js';
import { RowBuffer, type SqlValue } from './row-buffer.js';

/** What is asked of the repository; every condition given must hold. */
export interface WorkspaceFilter extends Paging {
  readonly state?: PaperState;
  readonly owner?: string;
  readonly holder?: string;
  /** Where it is placed. */
  readonly hostId?: string;
  readonly name?: string;
  /** Active ones unless told. */
  readonly definition?: 'active' | 'retired' | 'any';
}

export interface LockRow {
  readonly workspaceId: WorkspaceId;
  readonly name: string;
  readonly holder: string;
  readonly epoch: number;
  readonly leaseUntil: Instant;
  readonly hostId: string | null;
}

export interface LockFilter extends Paging {
  readonly holder?: string;
}

interface Stored {
  readonly state: string;
  readonly paperState: PaperState;
  readonly updatedAt: number;
}

const columns = [
  'workspaceId',
  'paperState',
  'definition',
  'name',
  'owner',
  'holder',
  'hostId',
  'expiresAt',
  'updatedAt',
  'state',
] as const;

export const workspacesView: View<Workspaces> = {
  tables: `
    CREATE TABLE workspaces (
      workspaceId TEXT PRIMARY KEY,
      paperState TEXT NOT NULL,
      definition TEXT NOT NULL,
      name TEXT NOT NULL,
      owner TEXT NOT NULL,
      holder TEXT,
      hostId TEXT,
      expiresAt INTEGER,
      updatedAt INTEGER NOT NULL,
      state TEXT NOT NULL
    ) STRICT;`,
  // Each ends in the key, so that a filtered page is read in order from where the last one ended.
  indexes: `
    CREATE INDEX IF NOT EXISTS workspaces_by_state ON workspaces (paperState, workspaceId);
    CREATE INDEX IF NOT EXISTS workspaces_by_owner ON workspaces (owner, workspaceId);
    CREATE INDEX IF NOT EXISTS workspaces_by_name ON workspaces (name, workspaceId);
    CREATE INDEX IF NOT EXISTS workspaces_by_holder ON workspaces (holder, workspaceId) WHERE holder IS NOT NULL;
    CREATE INDEX IF NOT EXISTS workspaces_by_host ON workspaces (hostId, workspaceId) WHERE hostId IS NOT NULL;
    CREATE INDEX IF NOT EXISTS workspaces_expiring ON workspaces (expiresAt) WHERE expiresAt IS NOT NULL;`,
  canonical: `SELECT ${columns.join(', ')} FROM workspaces ORDER BY workspaceId`,
  json: ['state'],
  open: (db, cachedStates) => new Workspaces(db, cachedStates),
};

export class Workspaces implements ReadModel {
  readonly #db: Db;
  readonly #aggregates: Aggregates<WorkspaceState, WorkspaceEvent>;
  readonly #rows: RowBuffer;
  readonly #get;
  readonly #expiring;

  constructor(db: Db, cachedStates: number) {
    this.#db = db;
    this.#aggregates = new Aggregates({ initial: unborn, evolve, load: (id) => this.get(id) }, cachedStates);
    this.#rows = new RowBuffer(db, 'INSERT OR REPLACE INTO workspaces', columns);
    this.#get = db.prepare<[string], Stored>(
      'SELECT state, paperState, updatedAt FROM workspaces WHERE workspaceId = ?',
    );
    this.#expiring = db.prepare<[number, number], Stored>(
      `SELECT state, paperState, updatedAt FROM workspaces
       WHERE expiresAt <= ? AND definition = 'active' ORDER BY expiresAt, workspaceId LIMIT ?`,
    );
  }

  fold(event: DecodedWorkspaceEvent): void {
    this.#aggregates.fold(event);
  }

  write(): void {
    for (const { state, updatedAt } of this.#aggregates.takeChanged()) {
      const { paperState, definition, name, owner, holder, hostId, expiresAt } = workspaceKeys(state);
      const body = JSON.stringify(state);
      this.#rows.add(
        state.workspaceId,
        paperState,
        definition,
        name,
        owner,
        holder,
        hostId,
        expiresAt,
        updatedAt,
        body,
      );
    }
    this.#rows.write();
  }

  forget(): void {
    this.#aggregates.forget();
    this.#rows.forget();
  }

  get(id: string): WorkspaceRow | undefined {
    const stored = this.#get.get(id);
    return stored && workspaceRow(stored);
  }

  /** In order of id. */
  list(filter: WorkspaceFilter): Page<WorkspaceRow> {
    const { state, owner, holder, hostId, name, definition = 'active' } = filter;
    const wanted = {
      paperState: state,
      owner,
      holder,
      hostId,
      name,
      definition: definition === 'any' ? undefined : definition,
    };
    const { where, values } = conditions(wanted, 'workspaceId', startOf(filter, ''));
    const select = this.#db.prepare<SqlValue[], Stored>(
      `SELECT state, paperState, updatedAt FROM workspaces WHERE ${where} ORDER BY workspaceId LIMIT ?`,
    );
    const read = (rows: number) => select.all(...values, rows).map(workspaceRow);
    return page(filter, read, (row) => row.state.workspaceId);
  }

  /** The held locks, in order of workspace. */
  locks(filter: LockFilter): Page<LockRow> {
    const { where, values } = conditions({ holder: filter.holder }, 'workspaceId', startOf(filter, ''));
    const select = this.#db.prepare<SqlValue[], LockRow>(
      `SELECT workspaceId, name, holder, state ->> '$.lock.epoch' AS epoch, state ->> '$.lock.leaseUntil' AS leaseUntil, hostId
       FROM workspaces WHERE ${where} AND holder IS NOT NULL ORDER BY workspaceId LIMIT ?`,
    );
    return page(
      filter,
      (rows) => select.all(...values, rows),
      (row) => row.workspaceId,
    );
  }

  /** Active ones whose lifetime ended at the instant or before and that are not yet expired, the longest overdue first. */
  expiring(at: Instant, limit: number): WorkspaceRow[] {
    return this.#expiring.all(at, limit).map(workspaceRow);
  }
}

function workspaceRow({ state, paperState, updatedAt }: Stored): WorkspaceRow {
  return { state: JSON.parse(state) as WorkspaceState, paperState, updatedAt };
}

/** The SQL of a filter. The names of columns are ours; values only ever travel as bound parameters. */
function conditions(
  wanted: { readonly [column: string]: SqlValue | undefined },
  key: string,
  after: SqlValue,
): { readonly where: string; readonly values: readonly SqlValue[] } {
  const given = Object.entries(wanted).filter((each): each is [string, SqlValue] => each[1] !== undefined);
  return {
    where: [`${key} > ?`, ...given.map(([column]) => `${column} = ?`)].join(' AND '),
    values: [after, ...given.map(([, value]) => value)],
  };
}
