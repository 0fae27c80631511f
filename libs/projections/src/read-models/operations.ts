import type { Instant } from '@vw/domain';
import { type Page, page, type Paging, startOf } from '../cursor.js';
import type { DecodedWorkspaceEvent } from '../decode.js';
import { operationChange, type OperationRow, type OperationStatus } from '../folds/operations.js';
import type { Db, ReadModel, View } from '../view.js';
import { RowBuffer, type SqlValue } from './row-buffer.js';

export interface OperationFilter extends Paging {
  readonly status?: OperationStatus;
  readonly workspaceId?: string;
}

/** What a row says besides its own columns, in this order: a list of values is written twice as fast as an object or columns. */
type Details = [
  requestId: OperationRow['requestId'],
  kind: OperationRow['kind'],
  hostId: OperationRow['hostId'],
  epoch: OperationRow['epoch'],
  requestedAt: OperationRow['requestedAt'],
  deadline: OperationRow['deadline'],
  cancelRequested: OperationRow['cancelRequested'],
  finishedAt: OperationRow['finishedAt'],
  outcome: OperationRow['outcome'],
  failure: OperationRow['failure'],
  revision: OperationRow['revision'],
];
/** A workspace's operations lie where its history says: an index of theirs by workspace would cost a tenth of a replay. */
const ofWorkspace = `position IN (
  SELECT event.value FROM history, json_each(positions) AS event WHERE stream = 'workspace-' || ?)`;
const requestIdOf = 'details ->> 0';
const deadlineOf = 'details ->> 5';

type Stored = Pick<OperationRow, 'position' | 'workspaceId' | 'status'> & { readonly details: string };

const columns = ['position', 'workspaceId', 'status', 'details'] as const;

export const operationsView: View<Operations> = {
  // The partial index is small whatever the log's length: it holds what is under way, which is what an outcome looks for.
  tables: `
    CREATE TABLE operations (
      position INTEGER PRIMARY KEY,
      workspaceId TEXT NOT NULL,
      status TEXT NOT NULL,
      details TEXT NOT NULL
    ) STRICT;
    CREATE INDEX operations_open ON operations (workspaceId) WHERE status = 'open';`,
  // Nearly all are done, and a page of those is found without an index; a query for others repeats the index's condition, or SQLite
  // does not see that it holds. Every index ends in the position, the row's key.
  indexes: `CREATE INDEX IF NOT EXISTS operations_not_done ON operations (status) WHERE status <> 'done';`,
  canonical: `SELECT ${columns.join(', ')} FROM operations ORDER BY position`,
  json: ['details'],
  open: (db) => new Operations(db),
};

/** An operation in memory, changed in place: a new one for every outcome would be a twentieth of a replay. */
type Touched = { -readonly [Field in keyof OperationRow]: OperationRow[Field] };

export class Operations implements ReadModel {
  readonly #db: Db;
  readonly #rows: RowBuffer;
  /** What this batch touched, in the order of the table: a row put between others costs four times one put after them. */
  #continued: Touched[] = [];
  #opened: Touched[] = [];
  /** Each stream's latest operation, as far as this batch touched it: no other of the same workspace can be under way. */
  readonly #latest = new Map<string, Touched>();
  readonly #get;
  readonly #open;
  readonly #allOpen;
  readonly #overdue;

  constructor(db: Db) {
    this.#db = db;
    this.#rows = new RowBuffer(db, 'INSERT OR REPLACE INTO operations', columns);
    this.#get = db.prepare<[string, string], Stored>(select(`${ofWorkspace} AND ${requestIdOf} = ?`));
    this.#open = db.prepare<[string, string], Stored>(
      select(`workspaceId = ? AND status = 'open' AND ${requestIdOf} = ?`),
    );
    this.#allOpen = db.prepare<[], Stored>(select(`status <> 'done' AND status = 'open' ORDER BY position`));
    this.#overdue = db.prepare<[number], Stored>(
      select(`status = 'open' AND ${deadlineOf} < ? ORDER BY ${deadlineOf}, position`),
    );
  }

  fold(event: DecodedWorkspaceEvent): void {
    const change = operationChange(event);
    if (change === undefined) return;
    if (change.kind === 'opened') {
      this.#opened.push(change.operation);
      this.#latest.set(event.stream, change.operation);
      return;
    }
    const touched = this.#find(event, change.requestId);
    if (touched !== undefined) Object.assign(touched, change.to);
  }

  write(): void {
    for (const touched of [this.#continued, this.#opened]) for (const operation of touched) this.#add(operation);
    this.#rows.write();
    this.forget();
  }

  forget(): void {
    this.#latest.clear();
    this.#continued = [];
    this.#opened = [];
    this.#rows.forget();
  }

  get(workspaceId: string, requestId: string): OperationRow | undefined {
    const stored = this.#get.get(workspaceId, requestId);
    return stored && operationRow(stored);
  }

  /** The latest first. */
  list(filter: OperationFilter): Page<OperationRow> {
    const { status, workspaceId } = filter;
    const before = startOf(filter, Number.MAX_SAFE_INTEGER);
    const where = ['position < ?'];
    const values: SqlValue[] = [before];
    if (status !== undefined) {
      where.push(status === 'done' ? 'status = ?' : `status <> 'done' AND status = ?`);
      values.push(status);
    }
    if (workspaceId !== undefined) {
      where.push(ofWorkspace);
      values.push(workspaceId);
    }
    const rowsBefore = this.#db.prepare<SqlValue[], Stored>(
      select(`${where.join(' AND ')} ORDER BY position DESC LIMIT ?`),
    );
    return page(
      filter,
      (rows) => rowsBefore.all(...values, rows).map(operationRow),
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

  /** The operation while it is under way. The first ending stands: what comes after it finds nothing. */
  #find({ stream, id }: DecodedWorkspaceEvent, requestId: string): Touched | undefined {
    const latest = this.#latest.get(stream);
    if (latest !== undefined) return latest.requestId === requestId && latest.status === 'open' ? latest : undefined;
    const stored = this.#open.get(id, requestId);
    if (stored === undefined) return undefined;
    const touched = operationRow(stored);
    this.#continued.push(touched);
    this.#latest.set(stream, touched);
    return touched;
  }

  #add(operation: OperationRow): void {
    const details: Details = [
      operation.requestId,
      operation.kind,
      operation.hostId,
      operation.epoch,
      operation.requestedAt,
      operation.deadline,
      operation.cancelRequested,
      operation.finishedAt,
      operation.outcome,
      operation.failure,
      operation.revision,
    ];
    this.#rows.add(operation.position, operation.workspaceId, operation.status, JSON.stringify(details));
  }
}

const select = (where: string) => `SELECT ${columns.join(', ')} FROM operations WHERE ${where}`;

function operationRow({ position, workspaceId, status, details }: Stored): OperationRow {
  const [
    requestId,
    kind,
    hostId,
    epoch,
    requestedAt,
    deadline,
    cancelRequested,
    finishedAt,
    outcome,
    failure,
    revision,
  ] = JSON.parse(details) as Details;
  return {
    workspaceId,
    requestId,
    kind,
    hostId,
    epoch,
    status,
    requestedAt,
    deadline,
    cancelRequested,
    finishedAt,
    outcome,
    failure,
    revision,
    position,
  };
}
