/** Pause and unpause: freeze an ongoing computation in memory, let it go on. A crash between asking and observing leaves the guest as it is; the repetition looks first. */
import type { Observation } from '@vw/contracts';
import { observeGuest } from './guests.js';
import { deploymentOf, type Means, type Performance, unlessCancelled } from './means.js';
import { WrongPower } from './setbacks.js';

export async function pause(means: Means, performance: Performance): Promise<Observation> {
  const { hypervisor } = means;
  const { workspaceId, epoch } = performance;
  await deploymentOf(means, performance);
  const before = await observeGuest(hypervisor, workspaceId, epoch);
  if (before.power === 'paused') return { kind: 'paused' };
  unlessCancelled(performance);
  await hypervisor.pause(workspaceId, epoch);
  const after = await observeGuest(hypervisor, workspaceId, epoch);
  if (after.power === 'paused') return { kind: 'paused' };
  throw new WrongPower(`the guest was paused and is ${after.power}`);
}

export async function unpause(means: Means, performance: Performance): Promise<Observation> {
  const { hypervisor } = means;
  const { workspaceId, epoch } = performance;
  await deploymentOf(means, performance);
  const before = await observeGuest(hypervisor, workspaceId, epoch);
  if (before.power === 'running') return { kind: 'unpaused' };
  unlessCancelled(performance);
  await hypervisor.unpause(workspaceId, epoch);
  const after = await observeGuest(hypervisor, workspaceId, epoch);
  if (after.power === 'running') return { kind: 'unpaused' };
  throw new WrongPower(`the guest was unpaused and is ${after.power}`);
}
