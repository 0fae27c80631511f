/**
 * Draws the rooms of the code and who imports whom into docs/ARCHITECTURE.md, between its two markers. With `--check` it writes nothing and fails when the
 * committed picture is not what the code says.
 */
import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { nodeBinary, pinned, root } from './prepare.mjs';

const file = join(root, 'docs/ARCHITECTURE.md');
const begin = '<!-- rooms:begin -->';
const end = '<!-- rooms:end -->';
/** Nearly every room has an arrow to it, and it has none: in words it says the same and leaves the others visible. */
const ground = 'libs/runtime';

const text = readFileSync(file, 'utf8');
const [from, to] = [text.indexOf(begin), text.indexOf(end)];
if (from < 0 || to < from) {
  console.error(`docs/ARCHITECTURE.md has lost its markers ${begin} and ${end}`);
  process.exit(1);
}
const wanted = `${text.slice(0, from)}${begin}\n\n${picture(rooms())}\n\n${text.slice(to)}`;
if (wanted !== text) {
  if (process.argv.includes('--check')) {
    console.error('the picture in docs/ARCHITECTURE.md is not what the code says: run npm run picture and commit');
    process.exit(1);
  }
  writeFileSync(file, wanted);
  console.log('drew docs/ARCHITECTURE.md');
}

/** Every room, and the rooms that its sources import; what only its tests import is no part of the house. */
function rooms() {
  const report = execFileSync(
    nodeBinary(),
    [
      join(root, 'node_modules/dependency-cruiser/bin/dependency-cruiser.mjs'),
      ...['--config', '.dependency-cruiser.cjs', '--no-progress'],
      ...['--include-only', '^(apps|libs)/', '--exclude', '[.]spec[.]ts$|^apps/[^/]+/spec/|^libs/domain/src/testing/'],
      ...['--output-type', 'json', 'apps', 'libs'],
    ],
    { cwd: root, env: pinned, encoding: 'utf8', maxBuffer: 256 * 1024 * 1024 },
  );
  const found = new Map();
  for (const { source, dependencies } of JSON.parse(report).modules) {
    const room = roomOf(source);
    if (!found.has(room)) found.set(room, new Set());
    for (const { resolved } of dependencies) if (roomOf(resolved) !== room) found.get(room).add(roomOf(resolved));
  }
  return found;
}

function roomOf(path) {
  return path.split('/').slice(0, 2).join('/');
}

function picture(found) {
  const names = [...found.keys()].toSorted();
  const id = (room) => room.replace(/[^a-z]/g, '_');
  const group = (top) => [
    `  subgraph ${top}`,
    ...names
      .filter((room) => room.startsWith(`${top}/`))
      .map((room) => `    ${id(room)}["${room.slice(top.length + 1)}"]`),
    '  end',
  ];
  const arrows = names.flatMap((room) =>
    [...found.get(room)]
      .filter((other) => other !== ground)
      .toSorted()
      .map((other) => `  ${id(room)} --> ${id(other)}`),
  );
  const grounded = names.filter((room) => found.get(room).has(ground)).map((room) => `\`${room}\``);
  return [
    ...['```mermaid', 'flowchart TD', ...group('apps'), ...group('libs'), ...arrows, '```', ''],
    `Not drawn: the arrows to \`${ground}\` from ${grounded.join(', ')}.`,
  ].join('\n');
}
