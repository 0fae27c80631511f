/**
 * The composition root: ledger, one host agent and the embedded adapters in one process. What is opened first is closed last; the log is opened before everything
 * else in the data folder, because its lock is what makes a second instance on the same data impossible.
 */
import { constants, existsSync } from 'node:fs';
import { access, mkdir, readdir, rm, writeFile } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { createHostAgent, type HostAgent } from '../../host-agent/src/index.js';
import { defaultLedgerTiming, defaultPolicy, Ledger, loadHttp } from '../../ledger/src/index.js';
import { ledgerSubject, type Principal } from '@vw/domain';
import { openEmbeddedStore } from '@vw/event-store';
import { buildHeartbeatGuest, pickHypervisor } from '@vw/hypervisors';
import { openDirectoryRepository } from '@vw/images';
import { openInProcessBus } from '@vw/messaging';
import { openViews } from '@vw/projections';
import { type Logger, systemClock, systemIds, systemRandom, systemTimers } from '@vw/runtime';
import type { Settings } from './config/settings.js';

export interface Service {
  readonly url: string;
  /** What runs the guests here, and why. */
  readonly hypervisor: string;
  /** Rejects when a part of the service fails; resolves after `close`. */
  readonly ended: Promise<void>;
  /** Takes nothing new, finishes what runs, lets go of everything. Safe to call twice. */
  close(): Promise<void>;
}

/** Where everything lies under the data folder. */
export function layout(data: string) {
  const root = resolve(data);
  return {
    root,
    log: join(root, 'log.sqlite'),
    views: join(root, 'views.sqlite'),
    bus: join(root, 'bus.sqlite'),
    images: join(root, 'images'),
    uploads: join(root, 'uploads'),
    host: (hostId: string) => join(root, 'hosts', hostId),
  };
}

/** The image that every new ledger has: the tiny guest that counts its heartbeats. A site may put another under its name. */
const builtIn = { name: 'heartbeat', kind: 'kernel', architecture: 'x86' } as const;

/**
 * Opens everything and answers when commands are taken.
 * @param progress told, in a few words, of each step that may take a while
 * @throws StoreInUse when another instance has the data; StoreUnavailable, ImageRepositoryUnavailable when the disk says no
 */
export async function openService(
  settings: Settings,
  logger: Logger,
  progress: (step: string) => void,
): Promise<Service> {
  const closing: (() => Promise<void> | void)[] = [];
  const closeAll = async () => {
    for (let each = closing.pop(); each !== undefined; each = closing.pop()) await each();
  };
  try {
    const runtime = { clock: systemClock, timers: systemTimers, ids: systemIds, random: systemRandom, logger };
    const { clock, timers, ids } = runtime;
    const at = layout(settings.data);
    // Guests boot in processes and threads of their own: the longest step goes on beside all the others.
    const calledOff = new AbortController();
    const picking = pickHypervisor(settings.hypervisor, runtime, calledOff.signal);
    picking.catch(() => undefined); // told where it is awaited
    closing.push(async () => {
      calledOff.abort();
      await picking.then(
        ({ hypervisor }) => hypervisor.close(),
        () => undefined,
      );
    });
    const http = loadHttp();
    progress('opening the log');
    await makeFolders(at.root, at.uploads);
    const store = await openEmbeddedStore({ file: at.log, clock, logger });
    closing.push(() => store.close());
    // What a killed instance was receiving is nobody's: its senders were cut off with it.
    for (const name of await readdir(at.uploads)) await rm(join(at.uploads, name), { recursive: true, force: true });
    const bus = await openInProcessBus({ file: at.bus, clock, timers, logger });
    closing.push(() => bus.close());
    const images = await openDirectoryRepository({ directory: at.images, clock, logger });
    const views = await openViews({ file: at.views, store, logger });
    closing.push(() => views.close());

    const options = {
      ...defaultLedgerTiming,
      dispatch: { ...defaultLedgerTiming.dispatch, answerWithinMs: settings.answerSeconds * 1000 },
      policy: { ...defaultPolicy, ...policyOf(settings) },
      uploads: at.uploads,
    };
    const ledger = new Ledger({ store, views, bus, images, clock, timers, ids, logger }, options);
    ledger.metrics.watch('vw_log_position', 'The last position of the log that the views show', () => views.position());
    progress('bringing the views up to the log');
    const stop = new AbortController();
    const running = ledger.run(stop.signal);
    running.catch(() => undefined);
    closing.push(async () => {
      stop.abort();
      await running.catch(() => undefined);
    });
    await ready(ledger, running);
    if (views.imageByName(builtIn.name)?.state.kind !== 'available') await addBuiltInImage(ledger, at.uploads);

    progress('looking for a hypervisor');
    const { hypervisor, profile, reason } = await picking;
    const agent = createHostAgent(
      {
        hostId: settings.hostId,
        directory: at.host(settings.hostId),
        capacity: { cpus: settings.cpus, memoryMiB: settings.memoryMiB, diskMiB: settings.diskMiB },
      },
      { bus, hypervisor, vmmProfile: profile, images, clock, timers, ids, logger },
    );
    closing.push(() => drain(agent));
    await agent.start();

    const { createHttpServer } = await http;
    const app = await createHttpServer(ledger);
    closing.push(() => app.close());
    await app.listen(settings.httpPort, settings.httpHost);
    const url = (await app.getUrl()).replace(/\/$/, '');

    let closed: Promise<void> | undefined;
    return { url, hypervisor: reason, ended: running, close: () => (closed ??= closeAll()) };
  } catch (error) {
    await closeAll();
    throw error;
  }
}

const policyOf = ({ leaseSeconds, graceSeconds }: Settings) => ({ leaseSeconds, graceSeconds });

async function drain(agent: HostAgent): Promise<void> {
  await agent.drain();
  await agent.close();
}

/** Waits until the views have caught up, or the ledger has failed. */
async function ready(ledger: Ledger, running: Promise<void>): Promise<void> {
  const waiting = new AbortController();
  const failed = running.finally(() => waiting.abort());
  failed.catch(() => undefined); // after this wait it is told through Service.ended
  while (!ledger.isReady() && !waiting.signal.aborted) await systemTimers.sleep(5, waiting.signal);
  if (waiting.signal.aborted) await failed;
}

async function addBuiltInImage(ledger: Ledger, folder: string): Promise<void> {
  const principal: Principal = { subject: ledgerSubject, attributes: {}, method: 'ledger' };
  const file = join(folder, `${builtIn.name}.img`);
  await writeFile(file, buildHeartbeatGuest());
  await ledger.imagePool.add(file, builtIn, principal);
  await rm(file);
}

/** @throws Error that names the data folder, and says in words what is wrong with it */
async function makeFolders(root: string, uploads: string): Promise<void> {
  const fault = await mkdir(uploads, { recursive: true })
    .then(() => access(uploads, constants.W_OK))
    .then(() => undefined, codeOf);
  if (fault === undefined) return;
  const place = nearestThere(root);
  const code = await access(place, constants.W_OK).then(() => fault, codeOf);
  throw new Error(`the data folder ${root} cannot be used: ${inTheWay[code] ?? code} (${place}); VW_DATA names it`);
}

const codeOf = (error: unknown): string => (error as NodeJS.ErrnoException).code ?? String(error);

/** Asking to make a folder, Node calls a read-only disk one that has no such folder: so what is there is asked instead. */
function nearestThere(path: string): string {
  return existsSync(path) ? path : nearestThere(dirname(path));
}

const inTheWay: Readonly<Record<string, string>> = {
  EROFS: 'it is on a read-only disk',
  EACCES: 'this user may not write there',
  ENOSPC: 'the disk is full',
  EDQUOT: 'the disk is full',
  ENOTDIR: 'a file is in its place',
  EEXIST: 'a file is in its place',
};
