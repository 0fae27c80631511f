/**
 * Every setting there is: its variable, its place in `vw.yaml`, what it takes, what it is without being told. One table, from which values are read, judged and
 * documented; a wrong value names its key.
 */
import { embedded, isConnectionString } from './connection.js';

export interface Settings {
  readonly data: string;
  readonly httpHost: string;
  readonly httpPort: number;
  readonly hostId: string;
  readonly hypervisor: 'auto' | 'v86' | 'qemu' | 'simulated';
  readonly logLevel: 'debug' | 'info' | 'warn' | 'error' | 'silent';
  readonly cpus: number;
  readonly memoryMiB: number;
  readonly diskMiB: number;
  readonly leaseSeconds: number;
  readonly graceSeconds: number;
  readonly answerSeconds: number;
  /** `embedded`, or the connection string of a store elsewhere. */
  readonly store: string;
  readonly storeWaitSeconds: number;
  readonly storeListen: Address | undefined;
  readonly storeTlsCert: string | undefined;
  readonly storeTlsKey: string | undefined;
  /** The first is the administrator. */
  readonly storeUsers: readonly User[];
}

export interface Address {
  readonly host: string;
  readonly port: number;
}

export interface User {
  readonly name: string;
  readonly password: string;
}

/** What a setting makes of its text: the value, or what was expected. */
type Read<T> = { readonly ok: true; readonly value: T } | { readonly ok: false; readonly expected: string };

export interface Setting<T = unknown> {
  readonly variable: string;
  /** The key in `vw.yaml`. */
  readonly key: string;
  readonly about: string;
  readonly fallback: string;
  /** Its text holds a password: no message may repeat it. */
  readonly secret?: true;
  read(text: string): Read<T>;
}

const fail = (expected: string): Read<never> => ({ ok: false, expected });

const whole =
  (least: number, most: number) =>
  (text: string): Read<number> => {
    const value = /^\d{1,15}$/.test(text) ? Number(text) : Number.NaN;
    return value >= least && value <= most ? { ok: true, value } : fail(`a whole number from ${least} to ${most}`);
  };

const oneOf =
  <T extends string>(...choices: readonly T[]) =>
  (text: string): Read<T> => {
    const value = choices.find((choice) => choice === text);
    return value === undefined ? fail(`one of ${choices.join(', ')}`) : { ok: true, value };
  };

const isLoopback = (host: string): boolean => ['127.0.0.1', '::1', 'localhost'].includes(host);

const loopback = (text: string): Read<string> =>
  isLoopback(text)
    ? { ok: true, value: text }
    : fail('127.0.0.1, ::1 or localhost: no other address is served until authentication can be configured');

const matching =
  (pattern: RegExp, expected: string) =>
  (text: string): Read<string> =>
    pattern.test(text) ? { ok: true, value: text } : fail(expected);

/** Not set at all, when its text is empty. */
const optional =
  <T>(read: (text: string) => Read<T>) =>
  (text: string): Read<T | undefined> =>
    text === '' ? { ok: true, value: undefined } : read(text);

// oxlint-disable-next-line no-control-regex -- control characters are what is refused here
const path = matching(/^[^\u0000-\u001f]{1,1024}$/, 'a path of 1 to 1024 printable characters');

/** `HOST:PORT`; an IPv6 address stands in brackets. */
function address(text: string): Read<Address> {
  const [, bracketed, plain, port = ''] = /^(?:\[([0-9a-fA-F:.]+)\]|([A-Za-z0-9.-]+)):(\d{1,5})$/.exec(text) ?? [];
  const host = bracketed ?? plain;
  if (host === undefined || Number(port) > 65535) return fail('HOST:PORT, such as 127.0.0.1:2113');
  return { ok: true, value: { host, port: Number(port) } };
}

/** `NAME:PASSWORD`, several with commas between; a password may have a colon in it, and no comma. */
function users(text: string): Read<readonly User[]> {
  const found = text.split(',').map((each) => /^([^\s:]{1,64}):(\S{1,256})$/.exec(each));
  const known = found.flatMap((parts) => (parts === null ? [] : [{ name: parts[1] ?? '', password: parts[2] ?? '' }]));
  if (known.length < found.length) return fail('NAME:PASSWORD, several with commas between');
  if (new Set(known.map(({ name }) => name)).size < known.length) return fail('users of different names');
  return { ok: true, value: known };
}

function store(text: string): Read<string> {
  const known = text === embedded || isConnectionString(text);
  return known
    ? { ok: true, value: text }
    : fail('embedded, or esdb://HOST:PORT, such as esdb://127.0.0.1:2113?tls=false');
}

export type SettingTable = { readonly [K in keyof Settings]: Setting<Settings[K]> };

/** @param machine what the machine has, for the settings that are about it */
export function settingTable(machine: {
  readonly cpus: number;
  readonly memoryMiB: number;
  readonly diskMiB: number;
}): SettingTable {
  return {
    data: {
      variable: 'VW_DATA',
      key: 'data',
      about: 'the folder that holds the log, the views, the images and the host’s workspaces',
      fallback: './var',
      read: path,
    },
    httpHost: {
      variable: 'VW_HTTP_HOST',
      key: 'httpHost',
      about: 'the address to listen on',
      fallback: '127.0.0.1',
      read: loopback,
    },
    httpPort: {
      variable: 'VW_HTTP_PORT',
      key: 'httpPort',
      about: 'the port to listen on; 0 takes any free one',
      fallback: '8420',
      read: whole(0, 65535),
    },
    hostId: {
      variable: 'VW_HOST_ID',
      key: 'hostId',
      about: 'the name of this machine as a host',
      fallback: 'local',
      read: matching(/^[A-Za-z0-9_-]{1,64}$/, '1 to 64 of A-Z a-z 0-9 _ -'),
    },
    hypervisor: {
      variable: 'VW_HYPERVISOR',
      key: 'hypervisor',
      about: 'what runs the guests; auto takes QEMU where a probe has booted a guest on it, else v86',
      fallback: 'auto',
      read: oneOf('auto', 'v86', 'qemu', 'simulated'),
    },
    logLevel: {
      variable: 'VW_LOG_LEVEL',
      key: 'logLevel',
      about: 'how much is written to the standard error stream',
      fallback: 'warn',
      read: oneOf('debug', 'info', 'warn', 'error', 'silent'),
    },
    cpus: {
      variable: 'VW_CPUS',
      key: 'cpus',
      about: 'processors that guests may be given',
      fallback: String(machine.cpus),
      read: whole(1, 4096),
    },
    memoryMiB: {
      variable: 'VW_MEMORY_MIB',
      key: 'memoryMiB',
      about: 'memory that guests may be given, in MiB',
      fallback: String(machine.memoryMiB),
      read: whole(1, 1 << 30),
    },
    diskMiB: {
      variable: 'VW_DISK_MIB',
      key: 'diskMiB',
      about: 'disk that guests may be given, in MiB',
      fallback: String(machine.diskMiB),
      read: whole(1, 2 ** 40),
    },
    leaseSeconds: {
      variable: 'VW_LEASE_SECONDS',
      key: 'leaseSeconds',
      about: 'how long a lock is granted for, unless the caller says',
      fallback: '3600',
      read: whole(1, 365 * 24 * 3600),
    },
    graceSeconds: {
      variable: 'VW_GRACE_SECONDS',
      key: 'graceSeconds',
      about: 'how long a graceful stop waits before it takes the power, unless the caller says',
      fallback: '10',
      read: whole(0, 24 * 3600),
    },
    answerSeconds: {
      variable: 'VW_ANSWER_SECONDS',
      key: 'answerSeconds',
      about: 'how long a host may take to say what it sees of an overdue workspace, before that is called unknown',
      fallback: '10',
      read: whole(1, 3600),
    },
    store: {
      variable: 'VW_STORE',
      key: 'store',
      about: 'where the log is: embedded in the data folder, or the connection string of a KurrentDB (esdb://…)',
      fallback: embedded,
      secret: true,
      read: store,
    },
    storeWaitSeconds: {
      variable: 'VW_STORE_WAIT_SECONDS',
      key: 'storeWaitSeconds',
      about: 'how long a start waits for a store elsewhere that does not answer',
      fallback: '60',
      read: whole(0, 24 * 3600),
    },
    storeListen: {
      variable: 'VW_STORE_LISTEN',
      key: 'storeListen',
      about: 'HOST:PORT at which the embedded log is served to EventStoreDB clients; port 0 takes any free one',
      fallback: '',
      read: optional(address),
    },
    storeTlsCert: {
      variable: 'VW_STORE_TLS_CERT',
      key: 'storeTlsCert',
      about: 'the file of the certificate (PEM) with which the log is served',
      fallback: '',
      read: optional(path),
    },
    storeTlsKey: {
      variable: 'VW_STORE_TLS_KEY',
      key: 'storeTlsKey',
      about: 'the file of its private key (PEM)',
      fallback: '',
      read: optional(path),
    },
    storeUsers: {
      variable: 'VW_STORE_USERS',
      key: 'storeUsers',
      about: 'who may read the served log: NAME:PASSWORD, several with commas between; the first is the administrator',
      fallback: '',
      secret: true,
      read: (text) => (text === '' ? { ok: true, value: [] } : users(text)),
    },
  };
}

/** What each setting alone cannot know to be wrong: settings that contradict each other, or would do nothing. */
export function contradictions(settings: Settings): string[] {
  const { store: where, storeListen, storeTlsCert, storeTlsKey, storeUsers } = settings;
  const faults: string[] = [];
  if ((storeTlsCert === undefined) !== (storeTlsKey === undefined))
    faults.push('VW_STORE_TLS_CERT and VW_STORE_TLS_KEY belong together: give both or neither');
  if (storeListen === undefined) {
    if (storeTlsCert !== undefined || storeTlsKey !== undefined || storeUsers.length > 0)
      faults.push('VW_STORE_TLS_CERT, VW_STORE_TLS_KEY and VW_STORE_USERS are about VW_STORE_LISTEN, which is not set');
    return faults;
  }
  if (where !== embedded)
    faults.push(
      'VW_STORE_LISTEN serves the embedded log, and VW_STORE says that the log is elsewhere: remove one of the two',
    );
  if (!isLoopback(storeListen.host) && (storeTlsKey === undefined || storeUsers.length === 0))
    faults.push(
      `VW_STORE_LISTEN is an address that others can reach (${storeListen.host}): it needs VW_STORE_TLS_CERT, VW_STORE_TLS_KEY and VW_STORE_USERS`,
    );
  return faults;
}

/** The table for people, as `npm start -- --help` prints it and the README shows it. */
export function describeSettings(table: SettingTable): string {
  const rows = Object.values(table);
  const width = (texts: readonly string[]) => Math.max(...texts.map(({ length }) => length)) + 1;
  const variables = width(rows.map(({ variable }) => variable));
  const keys = width(rows.map(({ key }) => key));
  return rows
    .map(({ variable, key, about, fallback }) => {
      return `  ${variable.padEnd(variables)}${key.padEnd(keys)}${about} (${fallback === '' ? 'not set' : fallback})`;
    })
    .join('\n');
}
