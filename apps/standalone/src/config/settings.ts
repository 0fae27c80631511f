/**
 * Every setting there is: its variable, its place in `vw.yaml`, what it takes, what it is without being told. One table, from which values are read, judged and
 * documented; a wrong value names its key.
 */

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
}

/** What a setting makes of its text: the value, or what was expected. */
type Read<T> = { readonly ok: true; readonly value: T } | { readonly ok: false; readonly expected: string };

export interface Setting<T = unknown> {
  readonly variable: string;
  /** The key in `vw.yaml`. */
  readonly key: string;
  readonly about: string;
  readonly fallback: string;
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

const loopback = (text: string): Read<string> =>
  ['127.0.0.1', '::1', 'localhost'].includes(text)
    ? { ok: true, value: text }
    : fail('127.0.0.1, ::1 or localhost: no other address is served until authentication can be configured');

const matching =
  (pattern: RegExp, expected: string) =>
  (text: string): Read<string> =>
    pattern.test(text) ? { ok: true, value: text } : fail(expected);

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
      // oxlint-disable-next-line no-control-regex -- control characters are what is refused here
      read: matching(/^[^\u0000-\u001f]{1,1024}$/, 'a path of 1 to 1024 printable characters'),
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
  };
}

/** The table for people, as `npm start -- --help` prints it and the README shows it. */
export function describeSettings(table: SettingTable): string {
  return Object.values(table)
    .map(({ variable, key, about, fallback }) => `  ${variable.padEnd(18)} ${key.padEnd(14)} ${about} (${fallback})`)
    .join('\n');
}
