/** What a view is: a pure fold (`folds/`) and the tables it fills (`read-models/`). `registry.ts` lists them all. */
import type Database from 'better-sqlite3';

export type Db = Database.Database;

/** One view's memory and tables; `registry.ts` says which events it folds, into memory, writing nothing. Memory may be ahead of the tables by one batch; queries answer from the tables alone. */
export interface ReadModel {
  /** Writes what the batch changed, inside the transaction that moves the checkpoint. */
  write(): void;
  /** Drops all memory: the tables are right, and the next event is folded onto what they say. */
  forget(): void;
}

export interface View<Model extends ReadModel> {
  /** What a fold needs while it runs: tables, and the indexes that `write` and `fold` themselves use. */
  readonly tables: string;
  /** What only queries need. It is laid when the views have caught up: an index costs less built at once than kept through a replay. */
  readonly indexes: string;
  /** Selects every row in order of its key, with nothing in it that depends on how the events were batched. */
  readonly canonical: string;
  /** The columns of `canonical` that hold JSON: they are compared by value, for the order of an object's keys says nothing. */
  readonly json: readonly string[];
  /** @param cachedStates how many aggregates' states may stay in memory between batches */
  open(db: Db, cachedStates: number): Model;
}
