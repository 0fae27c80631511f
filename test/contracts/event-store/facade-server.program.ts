/**
 * An embedded log behind EventStoreDB's protocol, until somebody ends the process. Arguments: the file, and the port (0 for any).
 * Prints `LISTENING <port>` when it serves.
 */
import { openEmbeddedStore, serveFacade } from '@vw/event-store';
import { createLogger, systemClock, systemIds, systemTimers } from '@vw/runtime';

const [file = '', port = '0'] = process.argv.slice(2);
const logger = createLogger('warn');

const log = await openEmbeddedStore({ file, clock: systemClock, logger });
const facade = await serveFacade({
  log,
  host: '127.0.0.1',
  port: Number(port),
  users: [],
  reserved: [],
  clock: systemClock,
  ids: systemIds,
  timers: systemTimers,
  logger,
});
process.stdout.write(`LISTENING ${facade.port}\n`);
