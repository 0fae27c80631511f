/** An agent's life in a process of its own, to be ended by `kill -9`: it starts the workspaces it is given, pauses the second one, and waits. */
import { createHypervisor, type GuestSpec } from '@vw/hypervisors';
import { silentLogger, systemClock, systemIds, systemRandom, systemTimers } from '@vw/runtime';
import { afterBeats } from '../bench-top.js';

const deps = { clock: systemClock, timers: systemTimers, ids: systemIds, random: systemRandom, logger: silentLogger };
const [running, paused] = JSON.parse(process.argv[2]!) as [GuestSpec, GuestSpec];
const hypervisor = createHypervisor('qemu', deps);
for (const spec of [running, paused]) {
  await hypervisor.stage(spec);
  await hypervisor.start(spec);
  await afterBeats(hypervisor, spec, 2);
}
await hypervisor.pause(paused.workspaceId, paused.epoch);
process.stdout.write('ready\n');
await systemTimers.sleep(600_000);
