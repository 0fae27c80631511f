/**
 * The ledger knows a higher epoch: whatever is here of this epoch or below is stopped and removed, unsaved. A higher epoch is not touched.
 * What a crash leaves is an older guest or a folder; the repetition goes through the same steps.
 */
import type { Observation } from '@vw/contracts';
import { ensureAbsent } from './guests.js';
import { removeLeftover } from './leftover.js';
import type { Means, Performance } from './means.js';

export async function expel(means: Means, { workspaceId, epoch }: Performance): Promise<Observation> {
  const { hypervisor, journal } = means;
  await ensureAbsent(hypervisor, workspaceId, epoch);
  const deployed = await epochHere(means, workspaceId);
  if (deployed <= epoch) await removeLeftover(means, workspaceId, deployed);
  await journal.append({ type: 'closed', workspaceId, epoch });
  return { kind: 'observed', guest: 'absent', cause: `expelled: epoch ${epoch} of the workspace is over` };
}

/** The epoch of what lies in the folder; where the folder does not say, it cannot be newer than the newest task. */
async function epochHere({ workspaces, journal }: Means, workspaceId: string): Promise<number> {
  const found = await workspaces.find(workspaceId);
  return found.kind === 'deployed' ? found.deployment.epoch : journal.known.highestEpoch(workspaceId);
}
