/**
 * Connection strings of KurrentDB (EventStoreDB), in the grammar of its official clients:
 *
 *   esdb://[name:password@]host[:port][,host[:port]…][/][?option=value&…]     these nodes; several are asked for the leader
 *   esdb+discover://[name:password@]host[:port][/][?…]                        a DNS name of a cluster, asked for the leader
 *
 * The client of newer servers writes kurrentdb:// and kurrentdb+discover:// for the same.
 *
 * They are read here because the client's own reading prints the whole of them, password included, when an option is wrong.
 * No message of this file repeats anything but a host or an option.
 */
export interface StoreLocation {
  readonly hosts: readonly Host[];
  /** The only host is a name of the whole cluster. */
  readonly discover: boolean;
  readonly credentials?: { readonly username: string; readonly password: string };
  readonly tls: boolean;
  /** PEM files, as they were named. */
  readonly files: { readonly authority?: string; readonly certificate?: string; readonly key?: string };
  readonly connectionName?: string;
  /** Of the client: milliseconds, but the gossip timeout, which is seconds. */
  readonly numbers: Partial<Record<NumberOption, number>>;
}

export interface Host {
  readonly address: string;
  readonly port: number;
}

export const SCHEMES = ['esdb', 'esdb+discover', 'kurrentdb', 'kurrentdb+discover'] as const;

const NUMBER_OPTIONS = [
  'defaultDeadline',
  'discoveryInterval',
  'gossipTimeout',
  'keepAliveInterval',
  'keepAliveTimeout',
  'maxDiscoverAttempts',
] as const;
type NumberOption = (typeof NUMBER_OPTIONS)[number];

const DEFAULT_PORT = 2113;

const SHAPE = /^(?<scheme>[a-z+]+):\/\/(?:(?<user>.*)@)?(?<hosts>[^@/?]*)\/*(?:\?(?<query>.*))?$/s;

/** @throws RangeError that names what was expected, and repeats no password */
export function parseLocation(text: string): StoreLocation {
  const { scheme, user, hosts, query } = SHAPE.exec(text.trim())?.groups ?? {};
  if (scheme === undefined || !(SCHEMES as readonly string[]).includes(scheme)) {
    throw malformed('it should read esdb://[name:password@]host[:port][,…][?option=value] or esdb+discover://…');
  }
  const discover = scheme.endsWith('+discover');
  const all = (hosts ?? '').split(',').map(parseHost);
  if (discover && all.length > 1) throw malformed(`${scheme}:// names one host, which DNS knows as the cluster`);
  return {
    hosts: all,
    discover,
    ...(user === undefined ? {} : { credentials: parseCredentials(user) }),
    ...parseOptions(query ?? ''),
  };
}

function parseHost(text: string): Host {
  const { address, port = DEFAULT_PORT } = /^(?<address>\[[^\]]*\]|[^:]*)(?::(?<port>.*))?$/s.exec(text)?.groups ?? {};
  if (address === undefined || !/^(?:\[[0-9A-Fa-f:.]+\]|[\w.-]+)$/.test(address)) {
    throw malformed(`'${address}' should be a host`);
  }
  // Not repeated: without the @ of a forgotten host it would be a password.
  const number = Number(/^\d{1,5}$/.test(`${port}`) ? port : 0);
  if (number < 1 || number > 65_535)
    throw malformed(`after '${address}:' should come a port, a number from 1 to 65535`);
  return { address, port: number };
}

function parseCredentials(text: string): { username: string; password: string } {
  const colon = text.indexOf(':');
  if (colon < 1) throw malformed('before the @ should be name:password');
  return { username: decoded(text.slice(0, colon)), password: decoded(text.slice(colon + 1)) };
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw malformed('the name and the password should be percent-encoded');
  }
}

type Options = Pick<StoreLocation, 'tls' | 'files' | 'connectionName' | 'numbers'>;

function parseOptions(query: string): Options {
  let options: Options = { tls: true, files: {}, numbers: {} };
  for (const part of query === '' ? [] : query.split('&')) {
    const [key = '', value] = part.split('=', 2);
    if (value === undefined || value === '') throw malformed(`option '${key}' should be given as ${key}=value`);
    options = withOption(options, key, value);
  }
  const { certificate, key } = options.files;
  if ((certificate === undefined) !== (key === undefined)) throw malformed('userCertFile and userKeyFile go together');
  return options;
}

/** Names are taken in any case, with dashes or underscores, as the official clients do. */
function withOption(options: Options, key: string, value: string): Options {
  const name = flat(key);
  const number = NUMBER_OPTIONS.find((option) => flat(option) === name);
  if (number !== undefined) {
    if (!/^(?:\d{1,9}|-1)$/.test(value)) throw malformed(`option ${number} should be a whole number`);
    return { ...options, numbers: { ...options.numbers, [number]: Number(value) } };
  }
  switch (name) {
    case 'tls':
      return { ...options, tls: truth(key, value) };
    case 'tlsverifycert':
      if (truth(key, value)) return options;
      throw malformed('tlsVerifyCert=false is not offered: name the authority of the certificates with tlsCAFile=FILE');
    case 'tlscafile':
      return { ...options, files: { ...options.files, authority: decoded(value) } };
    case 'usercertfile':
      return { ...options, files: { ...options.files, certificate: decoded(value) } };
    case 'userkeyfile':
      return { ...options, files: { ...options.files, key: decoded(value) } };
    case 'connectionname':
      return { ...options, connectionName: decoded(value) };
    case 'nodepreference':
      // Whoever decides on what it reads must read from the leader, so there is nothing to prefer.
      if (flat(value) === 'leader') return options;
      throw malformed('nodePreference can only be leader: a follower may not know yet what was acknowledged');
    case 'throwonappendfailure':
      truth(key, value);
      return options;
    default:
      throw malformed(
        `option '${key}' is unknown; known are tls, tlsCAFile, userCertFile, userKeyFile, connectionName, ${NUMBER_OPTIONS.join(', ')}`,
      );
  }
}

function truth(key: string, value: string): boolean {
  if (value !== 'true' && value !== 'false') throw malformed(`option ${key} should be true or false`);
  return value === 'true';
}

function flat(name: string): string {
  return name.toLowerCase().replaceAll(/[-_]/g, '');
}

function malformed(expectation: string): RangeError {
  return new RangeError(`the connection string of the event store is malformed: ${expectation}`);
}
