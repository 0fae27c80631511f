/** Says its number and probes QEMU, to be ended by `kill -9` in the middle of that: it waits for nothing that would let it go on to the end. */
import { createHypervisor } from '@vw/hypervisors';
import { silentLogger, systemClock, systemIds, systemRandom } from '@vw/runtime';

const timers = { sleep: () => new Promise<never>(() => undefined) };
const deps = { clock: systemClock, timers, ids: systemIds, random: systemRandom, logger: silentLogger };
setInterval(() => undefined, 60_000); // or Node would end a program that waits for nothing
process.stdout.write(`${process.pid}\n`);
await createHypervisor('qemu', deps).probe();
