import { evolveImage, type ImageEvent, type ImageState, noImage } from '@vw/domain';
import type { DecodedImageEvent } from '../decode.js';
import type { ImageRow } from '../folds/images.js';
import type { Db, ReadModel, View } from '../view.js';
import { Aggregates } from './aggregates.js';
import { RowBuffer } from './row-buffer.js';

interface Stored {
  readonly state: string;
  readonly updatedAt: number;
}

const columns = ['imageId', 'name', 'kind', 'updatedAt', 'state'] as const;

export const imagesView: View<Images> = {
  tables: `
    CREATE TABLE images (
      imageId TEXT PRIMARY KEY,
      name TEXT NOT NULL,
      kind TEXT NOT NULL,
      updatedAt INTEGER NOT NULL,
      state TEXT NOT NULL
    ) STRICT;`,
  indexes: 'CREATE INDEX IF NOT EXISTS images_by_name ON images (name);',
  canonical: `SELECT ${columns.join(', ')} FROM images ORDER BY imageId`,
  json: ['state'],
  open: (db, cachedStates) => new Images(db, cachedStates),
};

export class Images implements ReadModel {
  readonly #aggregates: Aggregates<ImageState, ImageEvent>;
  readonly #rows: RowBuffer;
  readonly #get;
  readonly #byName;
  readonly #all;

  constructor(db: Db, cachedStates: number) {
    const select = 'SELECT state, updatedAt FROM images';
    this.#get = db.prepare<[string], Stored>(`${select} WHERE imageId = ?`);
    this.#byName = db.prepare<[string], Stored>(
      `${select} WHERE name = ? ORDER BY kind = 'available' DESC, updatedAt DESC, imageId LIMIT 1`,
    );
    this.#all = db.prepare<[], Stored>(`${select} ORDER BY name, imageId`);
    this.#aggregates = new Aggregates(
      { initial: noImage, evolve: evolveImage, load: (id) => this.get(id) },
      cachedStates,
    );
    this.#rows = new RowBuffer(db, 'INSERT OR REPLACE INTO images', columns);
  }

  fold(event: DecodedImageEvent): void {
    this.#aggregates.fold(event);
  }

  write(): void {
    for (const { state, updatedAt } of this.#aggregates.takeChanged()) {
      this.#rows.add(state.imageId, state.name, state.kind, updatedAt, JSON.stringify(state));
    }
    this.#rows.write();
  }

  forget(): void {
    this.#aggregates.forget();
    this.#rows.forget();
  }

  get(id: string): ImageRow | undefined {
    const stored = this.#get.get(id);
    return stored && imageRow(stored);
  }

  /** The image of that name; where several bear it, an available one, and of those the one that changed last. */
  byName(name: string): ImageRow | undefined {
    const stored = this.#byName.get(name);
    return stored && imageRow(stored);
  }

  /** In order of name. */
  all(): ImageRow[] {
    return this.#all.all().map(imageRow);
  }
}

function imageRow({ state, updatedAt }: Stored): ImageRow {
  return { state: JSON.parse(state) as ImageState, updatedAt };
}
