/**
 * Rows on their way into a table. A call into SQLite costs about as much as the row it carries, so rows go in by groups, and the
 * values lie in one flat array, as a group's statement takes them.
 */
import type { Statement } from 'better-sqlite3';
import type { Db } from '../view.js';

export type SqlValue = string | number | null;

const ROWS_PER_STATEMENT = 32;

export class RowBuffer {
  readonly #width: number;
  readonly #one: Statement<[SqlValue[]]>;
  readonly #many: Statement<[SqlValue[]]>;
  #values: SqlValue[] = [];

  /** @param insert the statement up to its VALUES, such as `INSERT INTO history` */
  constructor(db: Db, insert: string, columns: readonly string[]) {
    const row = `(${columns.map(() => '?').join(', ')})`;
    const statement = (rows: number) =>
      db.prepare<[SqlValue[]]>(`${insert} (${columns.join(', ')}) VALUES ${Array(rows).fill(row).join(', ')}`);
    this.#width = columns.length;
    this.#one = statement(1);
    this.#many = statement(ROWS_PER_STATEMENT);
  }

  /** One value for each column, in the order of the columns. */
  add(...values: SqlValue[]): void {
    for (const value of values) this.#values.push(value);
  }

  write(): void {
    const values = this.#values;
    const group = ROWS_PER_STATEMENT * this.#width;
    let from = 0;
    for (; from + group <= values.length; from += group) this.#many.run(values.slice(from, from + group));
    for (; from < values.length; from += this.#width) this.#one.run(values.slice(from, from + this.#width));
    this.forget();
  }

  forget(): void {
    this.#values = [];
  }
}
