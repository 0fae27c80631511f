/**
 * `vw store serve`: a plain store for whoever speaks EventStoreDB's protocol, over the file of an embedded one. It has no ledger in
 * it, so it takes every stream.
 */
import { createPrivateKey, X509Certificate } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { openEmbeddedStore, serveFacade } from '@vw/event-store';
import { createLogger, systemIds, systemTimers } from '@vw/runtime';
import type { Command } from 'commander';
import { Failure } from '../failures.js';
import { dataFolderOf, filesOf } from '../places.js';
import type { Perform, Session } from '../session.js';
import { type Address, address, type User, user, userAfter } from '../values.js';

interface Options {
  readonly data?: string;
  readonly listen: Address;
  readonly tlsCert?: string;
  readonly tlsKey?: string;
  readonly user?: readonly User[];
}

const LOOPBACK = /^(127(\.\d{1,3}){3}|::1|localhost)$/;

export function addServeCommand(store: Command, perform: Perform): void {
  store
    .command('serve')
    .summary("serve a file in EventStoreDB's gRPC protocol")
    .description(
      "Serves the log of a data folder in EventStoreDB's gRPC protocol until SIGTERM or SIGINT; prints LISTENING <port> when it is " +
        'ready. A folder that is empty or not there is a store without events.',
    )
    .option('--data <dir>', 'the data folder (VW_DATA; default: var)')
    .requiredOption('--listen <host:port>', 'where to listen; port 0 takes any free one', address)
    .option('--tls-cert <file>', 'certificate chain in PEM; with it, only TLS is spoken')
    .option('--tls-key <file>', 'its private key in PEM')
    .option(
      '--user <name:password>',
      'who may come in: the first is an administrator, every further one is not. Better in VW_STORE_USERS (separated by commas), ' +
        'which no list of processes shows',
      userAfter,
    )
    .action(perform(serve));
}

async function serve({ io, clock }: Session, options: Options): Promise<void> {
  const stopAsked = io.stopAsked();
  const { host, port } = options.listen;
  const users = options.user ?? usersIn(io.env['VW_STORE_USERS']);
  const tls = await tlsOf(options);
  if (!LOOPBACK.test(host) && (!tls || users.length === 0)) {
    const lacking = tls ? 'a user (VW_STORE_USERS)' : '--tls-cert, --tls-key and a user';
    throw new Failure('usage', `${host} can be reached from outside, so it is served only with ${lacking}`);
  }
  const logger = createLogger('warn');
  const log = await openEmbeddedStore({ file: filesOf(dataFolderOf(options.data, io.env)).log, clock, logger });
  try {
    const served = await serveFacade({
      log,
      ...{ host, port, users, reserved: [], ...(tls && { tls }) },
      ...{ clock, ids: systemIds, timers: systemTimers, logger },
    }).catch((cause: unknown) => {
      if (cause instanceof RangeError) throw new Failure('usage', cause.message, { cause });
      throw new Failure('refused', `${host}:${port} cannot be listened at: ${whyNot(cause)}`, { cause });
    });
    try {
      await io.stdout.write(`LISTENING ${served.port}\n`);
      await stopAsked;
    } finally {
      await served.close();
    }
  } finally {
    await log.close();
  }
}

function usersIn(text: string | undefined): User[] {
  if (!text) return [];
  try {
    return text.split(',').map((one) => user(one.trim()));
  } catch (cause) {
    throw new Failure('usage', 'VW_STORE_USERS is NAME:PASSWORD, several of them separated by commas', { cause });
  }
}

async function tlsOf({ tlsCert, tlsKey }: Options): Promise<{ certificate: Buffer; key: Buffer } | undefined> {
  if (tlsCert === undefined && tlsKey === undefined) return undefined;
  if (tlsCert === undefined || tlsKey === undefined) throw new Failure('usage', '--tls-cert and --tls-key go together');
  const [certificate, key] = [await readFile(tlsCert), await readFile(tlsKey)];
  const owner = readPem(`${tlsCert} is no certificate in PEM`, () => new X509Certificate(certificate));
  const secret = readPem(`${tlsKey} is no private key in PEM without a passphrase`, () => createPrivateKey(key));
  if (!owner.checkPrivateKey(secret))
    throw new Failure('refused', `${tlsKey} is not the key of the certificate ${tlsCert}`);
  return { certificate, key };
}

function readPem<T>(otherwise: string, read: () => T): T {
  try {
    return read();
  } catch (cause) {
    throw new Failure('refused', otherwise, { cause });
  }
}

const why = new Map([
  ['EADDRINUSE', 'somebody listens there already'],
  ['EADDRNOTAVAIL', 'this machine has no such address'],
  ['EACCES', 'this user may not listen there'],
  ['ENOTFOUND', 'the name leads nowhere'],
]);

function whyNot(cause: unknown): string {
  const { code, message } = cause as NodeJS.ErrnoException;
  const found = [...why].find(([known]) => code === known || message.includes(known));
  return found?.[1] ?? message;
}
