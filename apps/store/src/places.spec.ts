import { mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { describePlace, placeOf, presentPlaceOf } from './places.js';

const file = (path: string) => ({ kind: 'file', file: path });
const server = (connection: string) => ({ kind: 'server', connection });

it('takes a store from the argument, VW_STORE, VW_DATA, or ./var, in this order', async () => {
  const env = { VW_STORE: 'esdb://cluster:2113', VW_DATA: '/srv/ledger' };
  expect(await placeOf('/elsewhere', env)).toEqual(file('/elsewhere/log.sqlite'));
  expect(await placeOf(undefined, env)).toEqual(server('esdb://cluster:2113'));
  expect(await placeOf(undefined, { ...env, VW_STORE: 'embedded' })).toEqual(file('/srv/ledger/log.sqlite'));
  expect(await placeOf(undefined, {})).toEqual(file('var/log.sqlite'));
});

it('knows a file by what is there, and else by its ending', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'vw-places-'));
  onTestFinished(() => rm(folder, { recursive: true }));
  await writeFile(join(folder, 'copy'), '');
  expect(await placeOf(join(folder, 'copy'), {})).toEqual(file(join(folder, 'copy')));
  expect(await placeOf(join(folder, 'new.sqlite'), {})).toEqual(file(join(folder, 'new.sqlite')));
  expect(await placeOf(folder, {})).toEqual(file(join(folder, 'log.sqlite')));
});

it('says of a folder that cannot be looked into that it cannot, and not that nothing is there', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'vw-places-'));
  onTestFinished(() => rm(folder, { recursive: true }));
  await expect(presentPlaceOf(join(folder, 'none'), {})).rejects.toThrow(/there is no event log at/);
  await symlink('round', join(folder, 'round'));
  await expect(presentPlaceOf(join(folder, 'round'), {})).rejects.toMatchObject({ code: 'ELOOP' });
});

it('shows no password, and takes no address that is none of a store', async () => {
  const place = await placeOf('esdb+discover://ann:secret@cluster:2113?tls=true', {});
  expect(describePlace(place)).toBe('esdb+discover://cluster:2113?tls=true');
  const awkward = await placeOf('esdb://ann:p/ss@w?rd@cluster:2113?tls=true', {});
  expect(describePlace(awkward)).toBe('esdb://cluster:2113?tls=true');
  await expect(placeOf('https://ann:secret@h/', {})).rejects.toThrow(/not https:\/\/h\/$/);
});
