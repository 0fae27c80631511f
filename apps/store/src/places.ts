/** How a store is named on the command line: a data folder, a file, or a connection string. */
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { Failure } from './failures.js';

/** What a data folder holds, as the service lays it out. */
const LOG = 'log.sqlite';
const VIEWS = 'views.sqlite';
const BUS = 'bus.sqlite';

const DEFAULT_DATA = 'var';

export type Place =
  { readonly kind: 'file'; readonly file: string } | { readonly kind: 'server'; readonly connection: string };

/**
 * What is meant: the argument, else VW_STORE, else the data folder VW_DATA, else ./var, as the service takes them.
 * A path that is not there yet is a file if its name has the ending of one, and a data folder otherwise.
 */
export async function placeOf(
  argument: string | undefined,
  env: { readonly [name: string]: string | undefined },
): Promise<Place> {
  const configured = env['VW_STORE'] && env['VW_STORE'] !== 'embedded' ? env['VW_STORE'] : undefined;
  const named = argument ?? configured ?? env['VW_DATA'] ?? DEFAULT_DATA;
  if (/^(esdb|kurrentdb)(\+discover)?:/i.test(named)) return { kind: 'server', connection: named };
  if (/^[a-z][a-z0-9+.-]+:\/\//i.test(named)) {
    throw new Failure(
      'usage',
      `a store is a folder, a file, or an address such as esdb://host:2113, not ${withoutPassword(named)}`,
    );
  }
  return { kind: 'file', file: (await isFile(named)) ? named : join(named, LOG) };
}

/** The same, of a store that is there. @throws Failure */
export async function presentPlaceOf(
  argument: string | undefined,
  env: { readonly [name: string]: string | undefined },
): Promise<Place> {
  const place = await placeOf(argument, env);
  if (place.kind === 'file' && !(await stat(place.file).catch(nothingThere))?.isFile()) {
    throw new Failure('notFound', `there is no event log at ${place.file}`);
  }
  return place;
}

/** As `presentPlaceOf`, for what only a file can answer. @throws Failure */
export async function presentFileOf(
  argument: string | undefined,
  env: { readonly [name: string]: string | undefined },
  command: string,
): Promise<string> {
  const place = await presentPlaceOf(argument, env);
  if (place.kind === 'file') return place.file;
  throw new Failure(
    'usage',
    `${command} works on a file, and ${describePlace(place)} is a server with tools of its own`,
  );
}

/** The files of a data folder. */
export function filesOf(data: string): { readonly log: string; readonly views: string; readonly bus: string } {
  return { log: join(data, LOG), views: join(data, VIEWS), bus: join(data, BUS) };
}

/** The data folder of a command that takes nothing else. */
export function dataFolderOf(option: string | undefined, env: { readonly [name: string]: string | undefined }): string {
  return option ?? env['VW_DATA'] ?? DEFAULT_DATA;
}

/** The place for people: a connection string without its password. */
export function describePlace(place: Place): string {
  return place.kind === 'file' ? place.file : withoutPassword(place.connection);
}

/** Credentials end at the last @, as the store's client reads them: a password may have any character. */
function withoutPassword(address: string): string {
  return address.replace(/\/\/.*@/s, '//');
}

/** A folder that may not be looked into is no absent log: its error says so. */
function nothingThere(error: NodeJS.ErrnoException): undefined {
  if (error.code !== 'ENOENT' && error.code !== 'ENOTDIR') throw error;
}

async function isFile(path: string): Promise<boolean> {
  const found = await stat(path).catch(() => undefined);
  return found ? found.isFile() : /\.(sqlite3?|db)$/.test(path);
}
