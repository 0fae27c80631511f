/**
 * The composition root: ledger, one host agent and their adapters in one process. What is opened first is closed last; the data folder is taken before
 * anything in it is touched, because two instances on the same data would undo each other's work.
 */
import { readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createHostAgent, type HostAgent } from '../../host-agent/src/index.js';
import { defaultLedgerTiming, defaultPolicy, Ledger, loadHttp } from '../../ledger/src/index.js';
import { ledgerSubject, type Principal } from '@vw/domain';
import { buildHeartbeatGuest, pickHypervisor } from '@vw/hypervisors';
import { openDirectoryRepository } from '@vw/images';
import { openInProcessBus } from '@vw/messaging';
import { openViews } from '@vw/projections';
import { type Logger, sha256Hex, systemClock, systemIds, systemRandom, systemTimers } from '@vw/runtime';
import type { Settings } from './config/settings.js';
import { layout, takeDataFolder } from './data-folder.js';
import { openLedgerStore, patienceFor } from './store.js';

export interface Service {
  readonly url: string;
  /** What runs the guests here, and why. */
  readonly hypervisor: string;
  /** The connection string at which others may read the log; undefined when it is not served from here. */
  readonly logServedAt: string | undefined;
  /** Rejects when a part of the service fails; resolves after `close`. */
  readonly ended: Promise<void>;
  /** Takes nothing new, finishes what runs, lets go of everything. Safe to call twice. */
  close(): Promise<void>;
}

/** The image that every new ledger has: the tiny guest that counts its heartbeats. A site may put another under its name. */
const builtIn = { name: 'heartbeat', kind: 'kernel', architecture: 'x86' } as const;

/**
 * Opens everything and answers when commands are taken.
 * @param progress told, in a few words, of each step that may take a while
 * @throws DataInUse when another instance has the data, StoreInUse when another program has its log; StoreUnavailable, ImageRepositoryUnavailable when the disk
 * says no; Error when a store elsewhere does not answer in time
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
    closing.push(await takeDataFolder(at));
    const patiently = patienceFor(settings, runtime, progress);
    const log = await patiently(() => openLedgerStore(settings, at.log, runtime));
    closing.push(() => log.close());
    const { store } = log;
    // What a killed instance was receiving is nobody's: its senders were cut off with it.
    for (const name of await readdir(at.uploads)) await rm(join(at.uploads, name), { recursive: true, force: true });
    const bus = await openInProcessBus({ file: at.bus, clock, timers, logger });
    closing.push(() => bus.close());
    const images = await openDirectoryRepository({ directory: at.images, clock, logger });
    const views = await patiently(() => openViews({ file: at.views, store, logger }));
    closing.push(() => views.close());

    const options = {
      ...defaultLedgerTiming,
      dispatch: { ...defaultLedgerTiming.dispatch, answerWithinMs: settings.answerSeconds * 1000 },
      policy: { ...defaultPolicy, ...policyOf(settings) },
      uploads: at.uploads,
      storeElsewhere: log.elsewhere,
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
    await patiently(() => addBuiltInImage(ledger, at.uploads));

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
    await known(ledger, settings.hostId);

    const { createHttpServer } = await http;
    const app = await createHttpServer(ledger);
    closing.push(() => app.close());
    await app.listen(settings.httpPort, settings.httpHost);
    const url = (await app.getUrl()).replace(/\/$/, '');

    let closed: Promise<void> | undefined;
    return { url, hypervisor: reason, logServedAt: log.servedAt, ended: running, close: () => (closed ??= closeAll()) };
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

const knownWithinMs = 5000;

/** Waits until a workspace can be deployed here, so that a service which says that it is ready is. Its store may have gone away meanwhile: that says itself. */
async function known(ledger: Ledger, hostId: string): Promise<void> {
  const { views, clock, timers } = ledger.ports;
  const endsAt = clock.monotonic() + knownWithinMs;
  while (views.host(hostId)?.state.kind !== 'connected' && clock.monotonic() < endsAt) await timers.sleep(5);
}

/** Does nothing where a site has put another under the name. The log alone does not tell that it is here: it may be elsewhere, and this data folder new. */
async function addBuiltInImage(ledger: Ledger, folder: string): Promise<void> {
  const guest = buildHeartbeatGuest();
  const digest = `sha256:${sha256Hex(guest)}`;
  const { views, images } = ledger.ports;
  const known = views.imageByName(builtIn.name)?.state;
  const here = (await images.find(builtIn.name)).some((manifest) => manifest.digest === digest);
  if (known?.kind === 'available' && (here || known.digest !== digest)) return;
  const principal: Principal = { subject: ledgerSubject, attributes: {}, method: 'ledger' };
  const file = join(folder, `${builtIn.name}.img`);
  await writeFile(file, guest);
  await ledger.imagePool.add(file, builtIn, principal);
  await rm(file);
}
