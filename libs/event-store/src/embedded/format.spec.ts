import { expect, it } from 'vitest';
import { reasonOf } from './format.js';

const said = (code: string) => reasonOf(Object.assign(new Error('as SQLite says it'), { code }));

it.each(['SQLITE_READONLY', 'SQLITE_READONLY_DIRECTORY', 'SQLITE_CANTOPEN'])('says what %s takes', (code) => {
  expect(said(code)).toMatch(/^as SQLite says it; it takes the right to write the file and its folder/);
});

it.each(['SQLITE_FULL', 'SQLITE_CANTOPEN_ISDIR', ''])('leaves %s as SQLite says it', (code) => {
  expect(said(code)).toBe('as SQLite says it');
});
