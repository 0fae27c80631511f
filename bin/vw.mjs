#!/usr/bin/env node
// Every Node since 12 can parse this file, so that an old one says what it lacks instead of showing a stack. What needs a
// newer Node is imported only after that.
import { existsSync } from 'fs';

// What looks after files runs where the files are, and has all of the store in it; everything else speaks only HTTP.
const app = process.argv[2] === 'store' ? 'store' : 'cli';
const program = new URL(`../dist/apps/${app}/src/main.js`, import.meta.url);
const [major, minor] = process.versions.node.split('.').map(Number);

if (major < 22 || (major === 22 && minor < 15)) {
  console.error(
    `vw needs Node 22.15 or newer, and this is ${process.versions.node}; in a checkout run it as \`npx vw\`.`,
  );
  process.exitCode = 2;
} else if (!existsSync(program)) {
  console.error('vw is not built yet: run `npm run build` (or `npm start`) first.');
  process.exitCode = 2;
} else {
  void import(program.href);
}
