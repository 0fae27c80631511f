import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openInProcessBus } from '@vw/messaging';
import { systemClock, systemTimers } from '@vw/runtime';
import { busContract } from './suite.js';

busContract('in-process', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'vw-bus-'));
  const file = join(folder, 'bus.sqlite');
  return {
    open: () => openInProcessBus({ file, clock: systemClock, timers: systemTimers }),
    publisher: { file: join(import.meta.dirname, 'in-process', 'publisher.ts'), args: [file] },
    dispose: () => rm(folder, { recursive: true }),
  };
});
