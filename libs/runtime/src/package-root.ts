/** Where this package lies on disk, whether it runs from its sources or from `dist/`. */
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The folder that holds `nest-cli.json`, found upwards from this file. */
export function packageRoot(): string {
  let folder = dirname(fileURLToPath(import.meta.url));
  while (!existsSync(join(folder, 'nest-cli.json'))) {
    const above = dirname(folder);
    if (above === folder)
      throw new Error('nest-cli.json is in no folder above this file: the installation is incomplete');
    folder = above;
  }
  return folder;
}
