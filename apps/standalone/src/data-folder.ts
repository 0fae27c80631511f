/** The folder that holds everything of one instance: where each thing lies, that it can be used, and that nobody else uses it. */
import { constants, existsSync } from 'node:fs';
import { access, mkdir } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import Database from 'better-sqlite3';

export type Layout = ReturnType<typeof layout>;

/** Where everything lies under the data folder. */
export function layout(data: string) {
  const root = resolve(data);
  return {
    root,
    lock: join(root, 'instance.lock'),
    log: join(root, 'log.sqlite'),
    views: join(root, 'views.sqlite'),
    bus: join(root, 'bus.sqlite'),
    images: join(root, 'images'),
    uploads: join(root, 'uploads'),
    host: (hostId: string) => join(root, 'hosts', hostId),
  };
}

/** Another process runs on this data. */
export class DataInUse extends Error {
  override readonly name = 'DataInUse';
  constructor(
    readonly folder: string,
    options?: ErrorOptions,
  ) {
    super(`${folder} is in use: another instance runs on this data`, options);
  }
}

/**
 * Makes the folder where it is not there, and takes it for this process: the log may be elsewhere, with no lock that lies here. The lock is the operating
 * system's: it ends with the process however that ends, and the file left behind means nothing.
 * @returns what lets go of it
 * @throws DataInUse; Error that names the data folder, and says in words what is wrong with it
 */
export async function takeDataFolder({ root, uploads, lock }: Layout): Promise<() => void> {
  await makeFolders(root, uploads);
  let file: Database.Database | undefined;
  try {
    file = new Database(lock, { timeout: 0 });
    file.exec('BEGIN EXCLUSIVE');
  } catch (cause) {
    file?.close();
    if (cause instanceof Database.SqliteError && cause.code.startsWith('SQLITE_BUSY'))
      throw new DataInUse(root, { cause });
    throw new Error(`the data folder ${root} cannot be locked`, { cause });
  }
  const held = file;
  return () => held.close();
}

async function makeFolders(root: string, uploads: string): Promise<void> {
  const fault = await mkdir(uploads, { recursive: true })
    .then(() => access(uploads, constants.W_OK))
    .then(() => undefined, codeOf);
  if (fault === undefined) return;
  const place = nearestThere(root);
  const code = await access(place, constants.W_OK).then(() => fault, codeOf);
  throw new Error(`the data folder ${root} cannot be used: ${inTheWay[code] ?? code} (${place}); VW_DATA names it`);
}

const codeOf = (error: unknown): string => (error as NodeJS.ErrnoException).code ?? String(error);

/** Asking to make a folder, Node calls a read-only disk one that has no such folder: so what is there is asked instead. */
function nearestThere(path: string): string {
  return existsSync(path) ? path : nearestThere(dirname(path));
}

const inTheWay: Readonly<Record<string, string>> = {
  EROFS: 'it is on a read-only disk',
  EACCES: 'this user may not write there',
  ENOSPC: 'the disk is full',
  EDQUOT: 'the disk is full',
  ENOTDIR: 'a file is in its place',
  EEXIST: 'a file is in its place',
};
