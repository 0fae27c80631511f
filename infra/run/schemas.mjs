/**
 * Writes the JSON Schemas under `schemas/` from the TypeScript types that are their one source. With `--check` it writes nothing and fails
 * when a committed file is not what the types say.
 */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { createGenerator } from 'ts-json-schema-generator';

const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))));
const check = process.argv.includes('--check');

const sources = [
  ['workspace-description', 'libs/domain/src/description.ts', 'WorkspaceDescription'],
  ['events/workspace', 'libs/domain/src/workspace/events.ts', 'WorkspaceEvent'],
  ['events/host', 'libs/domain/src/host/host.ts', 'HostEvent'],
  ['events/image', 'libs/domain/src/image/image.ts', 'ImageEvent'],
  ['events/metadata', 'libs/domain/src/metadata.ts', 'EventMetadata'],
  ['http', 'libs/contracts/src/http.ts', 'HttpShapes'],
  ['messages/host-message', 'libs/contracts/src/messages.ts', 'HostMessage'],
  ['messages/evidence', 'libs/contracts/src/messages.ts', 'Evidence'],
  ['messages/heartbeat', 'libs/contracts/src/messages.ts', 'Heartbeat'],
  ['messages/console-request', 'libs/contracts/src/messages.ts', 'ConsoleRequest'],
  ['messages/console-reply', 'libs/contracts/src/messages.ts', 'ConsoleReply'],
];

let stale = 0;
for (const [name, path, type] of sources) {
  const schema = createGenerator({
    path: join(root, path),
    tsconfig: join(root, 'tsconfig.json'),
    type,
    skipTypeCheck: true,
    sortProps: true,
  }).createSchema(type);
  settle(
    `schemas/${name}.schema.json`,
    `${JSON.stringify({ $id: `urn:workspace-ledger:schema:${name}`, ...schema }, null, 2)}\n`,
  );
}
if (existsSync(join(root, 'dist/apps/standalone/src/openapi.js'))) {
  const openapi = execFileSync(process.execPath, [join(root, 'dist/apps/standalone/src/openapi.js')], {
    encoding: 'utf8',
  });
  settle('schemas/openapi.json', openapi);
} else if (check) {
  console.error('schemas/openapi.json was not compared: build first (npm run build)');
  stale += 1;
}
if (stale > 0) {
  console.error(`${stale} schema file(s) are not what the types say: run npm run schemas and commit`);
  process.exit(1);
}

function settle(path, text) {
  const file = join(root, path);
  const current = existsSync(file) ? readFileSync(file, 'utf8') : '';
  if (current === text) return;
  if (check) {
    console.error(`${path} is stale`);
    stale += 1;
    return;
  }
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, text);
  console.log(`wrote ${path}`);
}
