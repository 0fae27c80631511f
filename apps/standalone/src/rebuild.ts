/** `npm run rebuild`: makes the views anew from the log, and says whether they came out as they were (invariant I11). The service must be stopped. */
import { existsSync } from 'node:fs';
import type { EventStore, Position } from '@vw/event-store';
import { canonicalDigest, openViews, rebuildViews } from '@vw/projections';
import { createLogger, type Logger, systemClock, systemIds, systemRandom, systemTimers } from '@vw/runtime';
import { embedded } from './config/connection.js';
import { loadSettings } from './config/load.js';
import { measureMachine } from './config/machine.js';
import { settingTable } from './config/settings.js';
import { layout, takeDataFolder } from './data-folder.js';
import { sentence } from './sentence.js';
import { openLedgerStore, patienceFor } from './store.js';

const say = (line: string) => process.stdout.write(`${line}\n`);
const progress = (step: string) => process.stderr.write(`${step} …\n`);

/** A line that a terminal overwrites; whoever reads a file wants only what came of it. */
function showProgress({ events }: { readonly events: number }): void {
  if (process.stderr.isTTY) process.stderr.write(`\r${events} events\r`);
}

async function rebuild(): Promise<number> {
  const settings = loadSettings(settingTable(measureMachine(process.env.VW_DATA ?? './var')), process.env);
  const logger = createLogger(settings.logLevel);
  const at = layout(settings.data);
  if (settings.store === embedded && !existsSync(at.log)) throw new Error(`there is no log at ${at.log}`);
  const letGo = await takeDataFolder(at);
  const runtime = { clock: systemClock, timers: systemTimers, ids: systemIds, random: systemRandom, logger };
  const patiently = patienceFor(settings, runtime, progress);
  // It is served when the ledger runs, and not for these few seconds.
  const { store, close } = await openLedgerStore({ ...settings, storeListen: undefined }, at.log, runtime);
  try {
    const before = await patiently(() => caughtUp(at.views, store, logger));
    const rebuilding = () => rebuildViews({ file: at.views, store, onProgress: showProgress });
    const { events, position } = await patiently(rebuilding);
    say(`rebuilt from ${events} events, up to position ${position}`);
    if (position !== before.position) {
      say(`not compared: before, the views were at position ${before.position}, and others go on writing to the log`);
      return 0;
    }
    const digest = canonicalDigest(at.views);
    const same = digest === before.digest;
    say(
      same ? `the same as before: sha256 ${digest}` : `DIFFERENT from before: sha256 ${before.digest}, now ${digest}`,
    );
    return same ? 0 : 1;
  } finally {
    await close();
    letGo();
  }
}

/** The present views, brought up to the log's head first so that both sides speak of the same events. */
async function caughtUp(
  file: string,
  store: EventStore,
  logger: Logger,
): Promise<{ readonly digest: string; readonly position: Position }> {
  const views = await openViews({ file, store, logger });
  const stop = new AbortController();
  const running = views.run(stop.signal);
  running.catch(() => undefined); // told where it is awaited
  try {
    await Promise.race([views.waitFor(await store.head(), stop.signal), running]);
    return { digest: canonicalDigest(views), position: views.position() };
  } finally {
    stop.abort();
    await running.finally(() => views.close());
  }
}

try {
  process.exitCode = await rebuild();
} catch (error) {
  process.stderr.write(`${sentence(error)}\n`);
  process.exitCode = 1;
}
