import type { Instant } from '@vw/domain';
import { type Page, page, type Paging, startOf } from '../cursor.js';
import type { DecodedWorkspaceEvent, KnownEvent } from '../decode.js';
import { operationChange, type OperationRow, type OperationStatus } from '../folds/operations.js';
import type { Db, ReadModel, View } from '../view.js';
import { RowBuffer, type SqlValue } from './row-buffer.js';

export interface OperationFilter extends Paging {
  readonly status?: OperationStatus;
  readonly workspaceId?: string;
}

const columns = ['position', 'workspaceId', 'status', 'operation'] as const;

export const operationsView: View<Operations> = {
  // The partial index is small whatever the log's length: it holds what is under way, which is what an outcome looks for.
  tables: `
    CREATE TABLE operations (
      position INTEGER PRIMARY KEY,
      workspaceId TEXT NOT NULL,
      status TEXT NOT NULL,
      operation TEXT NOT NULL
    ) STRICT;
    CREATE INDEX operations_open ON operations (workspaceId) WHERE status = 'open';`,
  // A workspace has few operations, so its index is enough to find one by its request.
  indexes: `
    CREATE INDEX IF NOT EXISTS operations_by_workspace ON operations (workspaceId, position);
    CREATE INDEX IF NOT EXISTS operations_by_status ON operations (status, position);`,
  canonical: `SELECT ${columns.join(', ')} FROM operations ORDER BY position`,
  json: ['operation'],
  open: (db) => new Operations(db),
};

export class Operations implements ReadModel {
  readonly #db: Db;
  readonly #rows: RowBuffer;
  /** Each workspace's latest operation, as far as this batch touched it: no other of the same workspace can be under way. */
  readonly #latest = new Map<string, OperationRow>();
  #before: OperationRow[] = [];
  readonly #get;
  readonly #open;
  readonly #allOpen;
  readonly #overdue;

  constructor(db: Db) {
    this.#db = db;
    this.#rows = new RowBuffer(db, 'INSERT OR REPLACE INTO operations', columns);
    const select = (where: string) => `SELECT operation FROM operations WHERE ${where}`;
    const ofRequest = `workspaceId = ? AND operation ->> '$.requestId' = ?`;
    this.#get = db.prepare<[string, string], string>(select(ofRequest)).pluck();
    this.#open = db.prepare<[string, string], string>(select(`${ofRequest} AND status = 'open'`)).pluck();
    this.#allOpen = db.prepare<[], string>(select(`status = 'open' ORDER BY position`)).pluck();
    this.#overdue = db
      .prepare<[number], string>(
        select(`status = 'open' AND operation ->> '$.deadline' < ? ORDER BY operation ->> '$.deadline', position`),
      )
      .pluck();
  }

  fold(event: KnownEvent): void {
    if (event.category === 'workspace') this.#fold(event);
  }

  write(): void {
    // In the order of the table: a row put between others costs four times one put after them.
    const changed = [...this.#before, ...this.#latest.values()].sort((a, b) => a.position - b.position);
    for (const operation of changed) {
      this.#rows.add(operation.position, operation.workspaceId, operation.status, JSON.stringify(operation));
    }
    this.#rows.write();
    this.forget();
  }

  forget(): void {
    this.#latest.clear();
    this.#before = [];
    this.#rows.forget();
  }

  get(workspaceId: string, requestId: string): OperationRow | undefined {
    const stored = this.#get.get(workspaceId, requestId);
    return stored === undefined ? undefined : operationRow(stored);
  }

  /** The latest first. */
  list(filter: OperationFilter): Page<OperationRow> {
    const { status, workspaceId } = filter;
    const before = startOf(filter, Number.MAX_SAFE_INTEGER);
    const where = ['position < ?'];
    const values: SqlValue[] = [before];
    if (status !== undefined) {
      where.push('status = ?');
      values.push(status);
    }
    if (workspaceId !== undefined) {
      where.push('workspaceId = ?');
      values.push(workspaceId);
    }
    const select = this.#db
      .prepare<SqlValue[], string>(
        `SELECT operation FROM operations WHERE ${where.join(' AND ')} ORDER BY position DESC LIMIT ?`,
      )
      .pluck();
    return page(
      filter,
      (rows) => select.all(...values, rows).map(operationRow),
      (row) => row.position,
    );
  }

  /** Everything under way, the oldest first: the dispatcher's whole work. */
  allOpen(): OperationRow[] {
    return this.#allOpen.all().map(operationRow);
  }

  /** What is under way past its deadline, the longest overdue first. */
  overdue(now: Instant): OperationRow[] {
    return this.#overdue.all(now).map(operationRow);
  }

  #fold(event: DecodedWorkspaceEvent): void {
    const change = operationChange(event);
    if (change === undefined) return;
    if (change.kind === 'opened') {
      const before = this.#latest.get(event.stream);
      if (before !== undefined) this.#before.push(before);
      this.#latest.set(event.stream, change.operation);
      return;
    }
    const operation = this.#find(event, change.requestId);
    if (operation !== undefined) this.#latest.set(event.stream, { ...operation, ...change.to });
  }

  /** The operation while it is under way. The first ending stands: what comes after it finds nothing. */
  #find({ stream, id }: DecodedWorkspaceEvent, requestId: string): OperationRow | undefined {
    const latest = this.#latest.get(stream);
    if (latest !== undefined) return latest.requestId === requestId && latest.status === 'open' ? latest : undefined;
    const stored = this.#open.get(id, requestId);
    return stored === undefined ? undefined : operationRow(stored);
  }
}

function operationRow(stored: string): OperationRow {
  return JSON.parse(stored) as OperationRow;
}
