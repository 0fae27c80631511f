/** `vw store compact`: gives back the space that read models no longer need. The log itself is never touched. */
import { existsSync, statSync } from 'node:fs';
import { type Compacted, compactViews } from '@vw/projections';
import Database from 'better-sqlite3';
import type { Command } from 'commander';
import { Failure } from '../failures.js';
import { dataFolderOf, filesOf } from '../places.js';
import type { Perform, Session } from '../session.js';
import { size } from '../text.js';

export function addCompactCommand(store: Command, perform: Perform): void {
  store
    .command('compact')
    .summary('shrink the read models of a stopped service')
    .description(
      'Gives back the space that the views and the bus no longer need. The service must be stopped; the log is not touched.',
    )
    .option('--data <dir>', 'the data folder (VW_DATA; default: var)')
    .action(perform(compact));
}

async function compact({ io, output }: Session, options: { data?: string }): Promise<void> {
  const data = dataFolderOf(options.data, io.env);
  const { log, views, bus } = filesOf(data);
  if (![log, views, bus].some((file) => existsSync(file)))
    throw new Failure('notFound', `${data} is no data folder of a service`);
  const done = { views: compactViews(views), bus: compactBus(bus) };
  await output.answer({ data, views: done.views ?? null, bus: done.bus ?? null }, [
    ['views', told(done.views, 'none, or of another version: the service makes them anew')],
    ['bus', told(done.bus, 'none')],
  ]);
}

function told(compacted: Compacted | undefined, otherwise: string): string {
  return compacted ? `${size(compacted.bytesBefore)} before, ${size(compacted.bytesAfter)} now` : otherwise;
}

/** The bus within a process keeps a file of SQLite; what is in it is no concern of this. */
function compactBus(file: string): Compacted | undefined {
  if (!existsSync(file)) return undefined;
  const bytesBefore = bytesOf(file);
  let db: Database.Database | undefined;
  try {
    db = new Database(file, { fileMustExist: true, timeout: 0 });
    db.pragma('locking_mode = EXCLUSIVE');
    db.exec('BEGIN IMMEDIATE; COMMIT; VACUUM; PRAGMA wal_checkpoint(TRUNCATE)');
  } catch (cause) {
    const busy = cause instanceof Database.SqliteError && /^SQLITE_(BUSY|LOCKED)/.test(cause.code);
    const why = busy
      ? 'is in use: stop the service first'
      : `cannot be compacted: ${cause instanceof Error ? cause.message : String(cause)}`;
    throw new Failure('refused', `${file} ${why}`, { cause });
  } finally {
    db?.close();
  }
  return { bytesBefore, bytesAfter: bytesOf(file) };
}

function bytesOf(file: string): number {
  return ['', '-wal', '-shm'].reduce(
    (sum, suffix) => sum + (statSync(file + suffix, { throwIfNoEntry: false })?.size ?? 0),
    0,
  );
}
