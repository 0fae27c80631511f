/** Says its number and probes QEMU, to be ended by `kill -9` in the middle of that. */
import { createHypervisor } from '@vw/hypervisors';
import { silentLogger, systemClock, systemIds, systemRandom, systemTimers } from '@vw/runtime';

const deps = { clock: systemClock, timers: systemTimers, ids: systemIds, random: systemRandom, logger: silentLogger };
process.stdout.write(`${process.pid}\n`);
await createHypervisor('qemu', deps).probe();
