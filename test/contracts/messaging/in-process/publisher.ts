/** Publishes numbers until it is killed, printing each one that the bus has taken. Argument: the bus file. */
import { openInProcessBus } from '@vw/messaging';
import { systemClock, systemTimers } from '@vw/runtime';

const bus = await openInProcessBus({ file: process.argv.at(-1)!, clock: systemClock, timers: systemTimers });
for (let n = 0; ; n++) {
  await bus.publish('vw.task.killed', { n });
  process.stdout.write(`${n}\n`);
  await new Promise((resolve) => setImmediate(resolve));
}
