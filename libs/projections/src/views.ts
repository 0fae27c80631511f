/** The views: what is true now, as far as the log was read, and the queries that tell it. Every answer belongs to `position()`. */
import { mkdirSync } from 'node:fs';
import { dirname } from 'node:path';
import type { Instant } from '@vw/domain';
import type { EventStore, Position } from '@vw/event-store';
import { type Logger, silentLogger } from '@vw/runtime';
import type { Page } from './cursor.js';
import { ViewsDamaged } from './errors.js';
import { type Checkpoint, create, guarded, layIndexes, openExisting, readCheckpoint, removeFile } from './file.js';
import type { CommandUse } from './folds/commands.js';
import type { HistoryRow } from './folds/history.js';
import type { HostRow } from './folds/hosts.js';
import type { ImageRow } from './folds/images.js';
import type { OperationRow } from './folds/operations.js';
import type { WorkspaceRow } from './folds/workspaces.js';
import { type Limits, Projector } from './projector.js';
import type { OperationFilter } from './read-models/operations.js';
import type { LockFilter, LockRow, WorkspaceFilter } from './read-models/workspaces.js';
import type { ReadModels } from './registry.js';
import type { Db } from './view.js';

export interface ViewsOptions {
  /** The SQLite file; made, with its folder, when it is not there, and made anew when it is of no use. */
  readonly file: string;
  readonly store: EventStore;
  readonly logger?: Logger;
  readonly limits?: Partial<Limits>;
}

export interface HistoryRange {
  /** From the stream's beginning unless told. */
  readonly afterRevision?: number;
  readonly limit: number;
}

const defaults: Limits = { batchEvents: 8000, cachedStates: 10_000 };

/**
 * Opens the views where they were left. A file that is damaged, of another format, or of another log is deleted and starts from zero.
 * @throws ViewsInUse when this or another process has the file open
 * @throws StoreUnavailable when the log cannot be asked
 */
export async function openViews({ file, store, logger = silentLogger, limits }: ViewsOptions): Promise<Views> {
  mkdirSync(dirname(file), { recursive: true });
  let found = openExisting(file);
  if (!('useless' in found) && !(await isOf(readCheckpoint(found), store))) {
    found.close();
    found = { useless: 'it was made from another log' };
  }
  if ('useless' in found) {
    logger.info({ file, because: found.useless }, 'views start from zero');
    removeFile(file);
    found = create(file);
  }
  return new Views({ db: found, store, limits: { ...defaults, ...limits } });
}

/**
 * Whether the log has the checkpoint's event, and where it was: one restored from a copy may have another at that place, or none, and one that was moved to
 * another store has the same events at other positions.
 */
async function isOf({ stream, revision, eventId, position }: Checkpoint, store: EventStore): Promise<boolean> {
  if (revision < 0) return true;
  for await (const event of store.readStream(stream, { from: revision, limit: 1 }))
    return event.id === eventId && event.position === position;
  return false;
}

export class Views {
  readonly #db: Db;
  readonly #store: EventStore;
  readonly #projector: Projector;
  readonly #models: ReadModels;
  readonly #waiting = new Set<() => void>();
  #running = false;

  constructor({ db, store, limits }: { readonly db: Db; readonly store: EventStore; readonly limits: Limits }) {
    this.#db = db;
    this.#store = store;
    this.#projector = new Projector(db, limits);
    this.#models = this.#projector.models;
  }

  /** The last event that the answers know of. */
  position(): Position {
    return this.#projector.checkpoint.position;
  }

  /** How many events of streams that are none of ours were left alone so far. */
  foreignEvents(): number {
    return this.#projector.checkpoint.foreignEvents;
  }

  /** Resolves when the answers know of the position: true; or false when the signal aborts or the views close first. */
  async waitFor(position: Position, signal: AbortSignal): Promise<boolean> {
    while (this.position() < position) {
      if (signal.aborted || !this.#db.open) return false;
      await this.#nextChange(signal);
    }
    return true;
  }

  /**
   * Follows the log until the signal aborts.
   * @throws UndecodableEvent, OutOfOrder, StoreUnavailable and other failures of the store, ViewsDamaged, ViewsUnavailable: the
   * views stay as they were at `position()`, and the owner decides
   */
  async run(signal: AbortSignal): Promise<void> {
    if (this.#running) throw new Error(`the views in ${this.#db.name} are being run already`);
    this.#running = true;
    const projector = this.#projector;
    let indexed = false;
    try {
      for await (const item of this.#store.subscribeAll(this.position(), signal)) {
        if (item.kind === 'event') {
          projector.fold(item.event);
          if (projector.full) this.#write();
        } else {
          this.#write();
          // The live end is reached after every event; the indexes are laid the first time.
          if (!indexed) guarded(this.#db, () => layIndexes(this.#db));
          indexed = true;
        }
      }
    } finally {
      projector.forget();
      this.#running = false;
    }
  }

  workspace(id: string): WorkspaceRow | undefined {
    return this.#read(() => this.#models.workspaces.get(id));
  }

  /**
   * In order of id.
   * @throws UnknownCursor
   */
  workspaces(filter: WorkspaceFilter): Page<WorkspaceRow> {
    return this.#read(() => this.#models.workspaces.list(filter));
  }

  /**
   * The held locks, in order of workspace.
   * @throws UnknownCursor
   */
  locks(filter: LockFilter): Page<LockRow> {
    return this.#read(() => this.#models.workspaces.locks(filter));
  }

  /**
   * Active workspaces whose lifetime ended at the instant or before, and that are not yet recorded as expired or still on a host;
   * the longest overdue first.
   */
  expiring(before: Instant, limit = 1000): WorkspaceRow[] {
    return this.#read(() => this.#models.workspaces.expiring(before, limit));
  }

  /**
   * The latest first.
   * @throws UnknownCursor
   */
  operations(filter: OperationFilter): Page<OperationRow> {
    return this.#read(() => this.#models.operations.list(filter));
  }

  operation(workspaceId: string, requestId: string): OperationRow | undefined {
    return this.#read(() => this.#models.operations.get(workspaceId, requestId));
  }

  /** Every open intent, the oldest first. */
  openOperations(): OperationRow[] {
    return this.#read(() => this.#models.operations.allOpen());
  }

  /** Every intent still open after its deadline, the longest overdue first. */
  overdue(now: Instant): OperationRow[] {
    return this.#read(() => this.#models.operations.overdue(now));
  }

  /** In order of id. */
  hosts(): HostRow[] {
    return this.#read(() => this.#models.hosts.all());
  }

  host(id: string): HostRow | undefined {
    return this.#read(() => this.#models.hosts.get(id));
  }

  /** In order of name. */
  images(): ImageRow[] {
    return this.#read(() => this.#models.images.all());
  }

  image(id: string): ImageRow | undefined {
    return this.#read(() => this.#models.images.get(id));
  }

  /** The image of that name; where several bear it, an available one, and of those the one that changed last. */
  imageByName(name: string): ImageRow | undefined {
    return this.#read(() => this.#models.images.byName(name));
  }

  /** Where the workspace's events lie, in order. Their data is in the log: `readStream(row.stream, { from: row.revision })`. */
  history(workspaceId: string, { afterRevision = -1, limit }: HistoryRange): HistoryRow[] {
    return this.#read(() => this.#models.history.after(`workspace-${workspaceId}`, afterRevision, limit));
  }

  /** How the command id was first used, on whatever stream. */
  commandUse(commandId: string): CommandUse | undefined {
    return this.#read(() => this.#models.commands.get(commandId));
  }

  /** Lets go of the file. Safe to call twice; stop `run` first. */
  close(): void {
    if (!this.#db.open) return;
    this.#db.close();
    this.#wake();
  }

  /** Does something with the tables as they are, such as dumping them. Nothing may be awaited in it. */
  withTables<T>(work: (db: Db) => T): T {
    return this.#read(() => work(this.#db));
  }

  #write(): void {
    try {
      this.#projector.write();
    } catch (cause) {
      this.#discard(cause);
    }
    this.#wake();
  }

  #read<T>(query: () => T): T {
    try {
      return guarded(this.#db, query);
    } catch (cause) {
      return this.#discard(cause);
    }
  }

  /** Damage is mended by starting from zero, so a damaged file must not be found again. */
  #discard(cause: unknown): never {
    if (cause instanceof ViewsDamaged && this.#db.open) {
      this.close();
      removeFile(this.#db.name);
    }
    throw cause;
  }

  #nextChange(signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const wake = (): void => {
        this.#waiting.delete(wake);
        signal.removeEventListener('abort', wake);
        resolve();
      };
      this.#waiting.add(wake);
      signal.addEventListener('abort', wake);
    });
  }

  #wake(): void {
    for (const wake of [...this.#waiting]) wake();
  }
}
