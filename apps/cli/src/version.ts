/** The version of the package that this file is in, whether it runs from its source or from `dist/`. */
import { readFileSync } from 'node:fs';
import { findPackageJSON } from 'node:module';

export function version(): string {
  const found = findPackageJSON(import.meta.url);
  if (found === undefined) throw new Error('no package.json is above this file: the installation is incomplete');
  return (JSON.parse(readFileSync(found, 'utf8')) as { version: string }).version;
}
