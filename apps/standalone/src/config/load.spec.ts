/** Settings: where they come from, in which order, and that a wrong one is named. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { placeOf } from './connection.js';
import { ConfigurationError, loadSettings } from './load.js';
import { describeSettings, settingTable } from './settings.js';

const table = settingTable({ cpus: 2, memoryMiB: 1024, diskMiB: 2048 });
let folder: string;
let file: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'vw-config-'));
  file = join(folder, 'vw.yaml');
});

afterEach(() => rmSync(folder, { recursive: true }));

function withFile(text: string, environment: Record<string, string> = {}) {
  writeFileSync(file, text);
  return loadSettings(table, { VW_CONFIG: file, ...environment });
}

function complaint(load: () => unknown): string {
  try {
    load();
  } catch (error) {
    if (error instanceof ConfigurationError) return error.message;
    throw error;
  }
  throw new Error('nothing was wrong');
}

describe('the place of a store', () => {
  it.each([
    ['esdb://ann:hunter2@db:2113?tls=false', 'esdb://db:2113'],
    ['esdb+discover://ann:p@/ss@a:1,b:2/x?y', 'esdb+discover://a:1,b:2'],
    ['kurrentdb://ann:hunter2@db:2113', 'kurrentdb://db:2113'],
  ])('is told without credentials: %s', (connection, place) => expect(placeOf(connection)).toBe(place));
});

describe('settings', () => {
  it('are what they are without being told, then what the file says, then what the environment says', () => {
    expect(withFile('')).toMatchObject({ httpPort: 8420, hypervisor: 'auto', cpus: 2 });
    expect(withFile('httpPort: 9000\ncpus: 1\n')).toMatchObject({ httpPort: 9000, cpus: 1 });
    expect(withFile('httpPort: 9000\n', { VW_HTTP_PORT: '9001' })).toMatchObject({ httpPort: 9001 });
  });

  it.each([
    ['VW_HTTP_PORT', '70000', 'VW_HTTP_PORT is "70000", expected a whole number from 0 to 65535'],
    ['VW_HTTP_PORT', '', 'VW_HTTP_PORT is "", expected a whole number'],
    ['VW_HTTP_HOST', '0.0.0.0', 'VW_HTTP_HOST is "0.0.0.0", expected 127.0.0.1, ::1 or localhost'],
    ['VW_HYPERVISOR', 'xen', 'VW_HYPERVISOR is "xen", expected one of auto, v86, qemu, simulated'],
    ['VW_HOST_ID', 'a.b', 'VW_HOST_ID is "a.b", expected 1 to 64'],
    ['VW_HTPP_PORT', '1', 'VW_HTPP_PORT is no setting of this program'],
    ['VW_STORE', 'http://127.0.0.1:2113', 'VW_STORE is not understood, expected embedded, or esdb://HOST:PORT'],
    ['VW_STORE', 'esdb://db:2113/ x', 'VW_STORE is not understood, expected embedded'],
    ['VW_STORE', 'esdb://', 'VW_STORE is not understood, expected embedded'],
    ['VW_STORE_LISTEN', '2113', 'VW_STORE_LISTEN is "2113", expected HOST:PORT'],
    ['VW_STORE_LISTEN', '::1:2113', 'VW_STORE_LISTEN is "::1:2113", expected HOST:PORT'],
    ['VW_STORE_LISTEN', '127.0.0.1:65536', 'expected HOST:PORT'],
    ['VW_STORE_USERS', 'ann', 'VW_STORE_USERS is not understood, expected NAME:PASSWORD'],
    ['VW_STORE_USERS', 'ann:a,ann:b', 'VW_STORE_USERS is not understood, expected users of different names'],
  ])('that are wrong name their key: %s=%s', (name, value, said) => {
    expect(complaint(() => withFile('', { [name]: value }))).toContain(said);
  });

  it.each([
    ['httpPort: lots\n', 'vw.yaml: httpPort is "lots", expected a whole number'],
    ['htppPort: 1\n', 'vw.yaml: htppPort is no setting'],
    ['- a\n', 'vw.yaml: expected keys and values'],
    ['httpPort: [1]\n', 'vw.yaml: httpPort expects a single value'],
    ['a: &x 1\nb: *x\n', 'vw.yaml: '],
    ['httpPort: "unclosed\n', 'vw.yaml: '],
  ])('in a file that is wrong name the file and the key: %j', (text, said) => {
    expect(complaint(() => withFile(text))).toContain(said);
  });

  it('are read into what they mean', () => {
    expect(withFile('')).toMatchObject({ store: 'embedded', storeListen: undefined, storeUsers: [] });
    const serving = { VW_STORE_LISTEN: '[::1]:2113', VW_STORE_USERS: 'ann:a:b,bob:c' };
    expect(withFile('', serving)).toMatchObject({
      storeListen: { host: '::1', port: 2113 },
      storeUsers: [
        { name: 'ann', password: 'a:b' },
        { name: 'bob', password: 'c' },
      ],
    });
    const cluster = 'esdb+discover://ann:s@fe@a.example:2113,b.example:2113?tls=true';
    expect(withFile(`store: ${cluster}\n`)).toMatchObject({ store: cluster });
  });

  const tls = { VW_STORE_TLS_CERT: 'cert.pem', VW_STORE_TLS_KEY: 'key.pem' };
  const everywhere = { VW_STORE_LISTEN: '0.0.0.0:2113' };
  const users = { VW_STORE_USERS: 'ann:secret' };
  it.each([
    [
      { ...everywhere, VW_STORE_TLS_KEY: 'key.pem', ...users },
      'VW_STORE_TLS_CERT and VW_STORE_TLS_KEY belong together',
    ],
    [{ VW_STORE_LISTEN: '127.0.0.1:2113', VW_STORE: 'esdb://db:2113' }, 'remove one of the two'],
    [users, 'are about VW_STORE_LISTEN, which is not set'],
    [everywhere, 'is an address that others can reach (0.0.0.0): it needs'],
    [{ ...everywhere, ...users }, 'it needs'],
    [{ ...everywhere, ...tls }, 'it needs'],
  ] as const)('that make no sense together are refused: %j', (environment, said) => {
    expect(complaint(() => withFile('', { ...environment }))).toContain(said);
  });

  it('let others reach the log with a certificate and users', () => {
    const { storeListen, storeTlsCert } = withFile('', { ...everywhere, ...tls, ...users });
    expect({ storeListen, storeTlsCert }).toEqual({
      storeListen: { host: '0.0.0.0', port: 2113 },
      storeTlsCert: 'cert.pem',
    });
  });

  it.each(['VW_STORE', 'VW_STORE_USERS'])(
    'that hold a password are not repeated when they are wrong: %s',
    (variable) => {
      expect(complaint(() => withFile('', { [variable]: 'esdb://ann:hunter2@ db' }))).not.toContain('hunter2');
    },
  );

  it('tell all that is wrong at once', () => {
    const said = complaint(() => withFile('cpus: 0\n', { VW_HTTP_PORT: 'x', VW_LOG_LEVEL: 'loud' }));
    expect(said.split('\n')).toHaveLength(3);
  });

  it('that name a file which is not there say so', () => {
    expect(complaint(() => loadSettings(table, { VW_CONFIG: join(folder, 'none.yaml') }))).toContain(
      'there is no file',
    );
  });

  it('are all in the description of the settings', () => {
    const text = describeSettings(table);
    for (const { variable, key } of Object.values(table)) expect(text).toMatch(new RegExp(`${variable} +${key} `));
  });
});
