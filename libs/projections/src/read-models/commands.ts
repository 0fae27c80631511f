import type { KnownEvent } from '../decode.js';
import { commandUse, type CommandUse } from '../folds/commands.js';
import type { Db, ReadModel, View } from '../view.js';
import { RowBuffer } from './row-buffer.js';

const columns = ['commandId', 'stream'] as const;

export const commandsView: View<Commands> = {
  tables: `
    CREATE TABLE commands (
      commandId TEXT PRIMARY KEY,
      stream TEXT NOT NULL
    ) STRICT, WITHOUT ROWID;`,
  indexes: '',
  canonical: `SELECT ${columns.join(', ')} FROM commands ORDER BY commandId`,
  json: [],
  open: (db) => new Commands(db),
};

export class Commands implements ReadModel {
  readonly #rows: RowBuffer;
  readonly #get;
  #last: string | undefined;

  constructor(db: Db) {
    // A command's later events say what its first one said.
    this.#rows = new RowBuffer(db, 'INSERT OR IGNORE INTO commands', columns);
    this.#get = db.prepare<[string], CommandUse>('SELECT stream FROM commands WHERE commandId = ?');
  }

  fold(event: KnownEvent): void {
    const use = commandUse(event);
    if (use === undefined || use.commandId === this.#last) return;
    this.#last = use.commandId;
    this.#rows.add(use.commandId, use.stream);
  }

  write(): void {
    this.#rows.write();
  }

  forget(): void {
    this.#last = undefined;
    this.#rows.forget();
  }

  /** How the command id was first used. */
  get(commandId: string): CommandUse | undefined {
    return this.#get.get(commandId);
  }
}
