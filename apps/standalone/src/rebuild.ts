/** `npm run rebuild`: makes the views anew from the log, and says whether they came out as they were (invariant I11). The service must be stopped. */
import { existsSync } from 'node:fs';
import { openEmbeddedStore } from '@vw/event-store';
import { canonicalDigest, openViews, rebuildViews } from '@vw/projections';
import { createLogger, systemClock } from '@vw/runtime';
import { loadSettings } from './config/load.js';
import { measureMachine } from './config/machine.js';
import { settingTable } from './config/settings.js';
import { layout } from './service.js';

const say = (line: string) => process.stdout.write(`${line}\n`);

/** A line that a terminal overwrites; whoever reads a file wants only what came of it. */
function showProgress({ events }: { readonly events: number }): void {
  if (process.stderr.isTTY) process.stderr.write(`\r${events} events\r`);
}

async function rebuild(): Promise<number> {
  const settings = loadSettings(settingTable(measureMachine(process.env.VW_DATA ?? './var')), process.env);
  const logger = createLogger(settings.logLevel);
  const { log, views: file } = layout(settings.data);
  if (!existsSync(log)) throw new Error(`there is no log at ${log}`);
  const store = await openEmbeddedStore({ file: log, clock: systemClock, logger });
  try {
    const before = await caughtUp(file, store, logger);
    const { events, position } = await rebuildViews({
      file,
      store,
      onProgress: showProgress,
    });
    const after = canonicalDigest(file);
    say(`rebuilt from ${events} events, up to position ${position}`);
    say(
      before === after
        ? `the same as before: sha256 ${after}`
        : `DIFFERENT from before: sha256 ${before}, now ${after}`,
    );
    return before === after ? 0 : 1;
  } finally {
    await store.close();
  }
}

/** The digest of the present views, brought up to the log's head first so that both sides speak of the same events. */
async function caughtUp(
  file: string,
  store: Parameters<typeof openViews>[0]['store'],
  logger: Parameters<typeof openViews>[0]['logger'],
): Promise<string> {
  const views = await openViews({ file, store, logger });
  const stop = new AbortController();
  const running = views.run(stop.signal);
  try {
    await Promise.race([views.waitFor(await store.head(), stop.signal), running]);
    return canonicalDigest(views);
  } finally {
    stop.abort();
    await running;
    views.close();
  }
}

try {
  process.exitCode = await rebuild();
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
}
