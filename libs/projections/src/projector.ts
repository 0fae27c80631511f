/**
 * Runs every fold over the log, batch by batch.
 *
 *  1. Events are folded in memory; at the end of a batch each changed row is written once.
 *  2. Rows and checkpoint change in one transaction, in one turn of the event loop: who reads, reads the view at one position
 *     (invariant I11), and a killed process leaves an older view, never half of one.
 *  3. Each event is applied once, in order (I7).
 *  4. After a failure memory is dropped, so the next batch starts from what the tables say.
 */
import type { RecordedEvent } from '@vw/event-store';
import { LogDecoder } from './decode.js';
import { OutOfOrder } from './errors.js';
import { type Checkpoint, guarded, readCheckpoint } from './file.js';
import { foldInto, openReadModels, type ReadModels } from './registry.js';
import type { Db, ReadModel } from './view.js';

export interface Limits {
  /** How many events are folded before rows are written: bounds memory, and the time that one write keeps the event loop. */
  readonly batchEvents: number;
  /** How many aggregates' states stay in memory between batches. */
  readonly cachedStates: number;
}

export class Projector {
  readonly models: ReadModels;
  readonly #db: Db;
  readonly #every: readonly ReadModel[];
  readonly #batchEvents: number;
  readonly #decoder = new LogDecoder();
  readonly #begin;
  readonly #commit;
  readonly #rollback;
  readonly #moveCheckpoint;
  #written: Checkpoint;
  /** The last event folded, and how many there are since the last write. */
  #last: RecordedEvent | undefined;
  #pending = 0;
  #foreignEvents = 0;

  constructor(db: Db, limits: Limits) {
    this.#db = db;
    this.models = openReadModels(db, limits.cachedStates);
    this.#every = Object.values<ReadModel>(this.models);
    this.#batchEvents = limits.batchEvents;
    this.#begin = db.prepare('BEGIN IMMEDIATE');
    this.#commit = db.prepare('COMMIT');
    this.#rollback = db.prepare('ROLLBACK');
    this.#moveCheckpoint = db.prepare(
      'UPDATE checkpoint SET position = ?, foreignEvents = ?, stream = ?, revision = ?, eventId = ?',
    );
    this.#written = readCheckpoint(db);
    this.#foreignEvents = this.#written.foreignEvents;
  }

  /** What the tables hold. */
  get checkpoint(): Checkpoint {
    return this.#written;
  }

  /** The batch has grown to its size. */
  get full(): boolean {
    return this.#pending >= this.#batchEvents;
  }

  /**
   * Folds the log's next event.
   * @throws UndecodableEvent, OutOfOrder
   */
  fold(recorded: RecordedEvent): void {
    const before = this.#last?.position ?? this.#written.position;
    if (recorded.position <= before) {
      throw new OutOfOrder(`the log went from position ${before} to ${recorded.position} (stream ${recorded.stream})`);
    }
    const event = this.#decoder.decode(recorded);
    if (event.category === 'foreign') this.#foreignEvents += 1;
    else foldInto(this.models, event);
    this.#last = recorded;
    this.#pending += 1;
  }

  /** Writes the batch; afterwards the checkpoint is at the last event folded. */
  write(): void {
    if (this.#last === undefined) return;
    const { position, stream, revision, id: eventId } = this.#last;
    const next = { position, foreignEvents: this.#foreignEvents, stream, revision, eventId };
    guarded(this.#db, () => this.#transact(next));
    this.#written = next;
    this.#last = undefined;
    this.#pending = 0;
  }

  forget(): void {
    for (const model of this.#every) model.forget();
    this.#foreignEvents = this.#written.foreignEvents;
    this.#last = undefined;
    this.#pending = 0;
  }

  #transact({ position, foreignEvents, stream, revision, eventId }: Checkpoint): void {
    this.#begin.run();
    try {
      for (const model of this.#every) model.write();
      this.#moveCheckpoint.run(position, foreignEvents, stream, revision, eventId);
      this.#commit.run();
    } catch (cause) {
      if (this.#db.inTransaction) this.#rollback.run();
      throw cause;
    }
  }
}
