/**
 * Brings back what changed, and frees the host. What a crash leaves, and what the repetition then does:
 *
 *  1. a paused guest's state is captured, where that was asked for. The capture is noted in `deployment.json`: the guest may die with the agent.
 *  2. a used disk is put into the repository, while a paused guest keeps it still. Up to here a failure loses nothing and leaves the guest be.
 *  3. the guest is stopped, and confirmed absent.
 *  4. `released` is journalled: from here on the outcome is certain, and the repetition only clears up.
 *  5. the folder goes; then the epoch is closed in the journal, before anybody is told (invariant I4).
 */
import type { Digest, Observation, WireHotImage, Work } from '@vw/contracts';
import type { Released } from '../journal/index.js';
import type { Deployment } from '../workspaces/index.js';
import { ensureAbsent, observeGuest } from './guests.js';
import { deploymentOf, type Means, type Performance, unlessCancelled } from './means.js';
import { removeLeftover } from './leftover.js';
import { capture } from './serialise.js';
import { Unconfirmed } from './setbacks.js';

type UndeployWork = Extract<Work, { kind: 'undeploy' }>;

export async function undeploy(means: Means, performance: Performance, work: UndeployWork): Promise<Observation> {
  const { journal } = means;
  const { workspaceId, epoch, taskId } = performance;
  const released = journal.known.released(workspaceId, epoch, taskId) ?? (await release(means, performance, work));
  await removeLeftover(means, workspaceId, epoch).catch((cause: unknown) => {
    throw new Unconfirmed(`workspace ${workspaceId} has left, and what is left of it could not be removed yet`, {
      cause,
    });
  });
  await journal.append({ type: 'closed', workspaceId, epoch });
  const { imageDigest, hotImage } = released;
  return { kind: 'undeployed', imageDigest, hotImage };
}

async function release(means: Means, performance: Performance, work: UndeployWork): Promise<Released> {
  const { hypervisor, journal } = means;
  const { workspaceId, epoch, taskId } = performance;
  const deployment = await deploymentOf(means, performance);
  unlessCancelled(performance);
  const hotImage = work.captureHotImage ? await captureOnce(means, performance, deployment) : undefined;
  const { power } = await observeGuest(hypervisor, workspaceId, epoch);
  if (power === 'running') await ensureAbsent(hypervisor, workspaceId, epoch);
  const imageDigest = await bringBack(means, deployment);
  await ensureAbsent(hypervisor, workspaceId, epoch);
  const released: Released = { type: 'released', workspaceId, epoch, taskId, imageDigest, hotImage };
  await journal.append(released);
  return released;
}

/** A guest that runs although its state is wanted is paused first, so that nothing of it is lost; one that is gone has no state left. */
async function captureOnce(
  means: Means,
  { workspaceId, epoch, taskId }: Performance,
  deployment: Deployment,
): Promise<WireHotImage | undefined> {
  const { hypervisor, workspaces } = means;
  if (deployment.captured?.taskId === taskId) return deployment.captured.hotImage;
  const { power } = await observeGuest(hypervisor, workspaceId, epoch);
  if (power === 'absent') return undefined;
  if (power === 'running') await hypervisor.pause(workspaceId, epoch);
  const captured = await capture(means, deployment);
  await workspaces.write({ ...captured, captured: { taskId, hotImage: captured.hotImage } });
  return captured.hotImage;
}

async function bringBack({ images, workspaces }: Means, { workspaceId, image, diskUsed }: Deployment): Promise<Digest> {
  if (image.kind !== 'disk' || !diskUsed) return image.digest;
  const { digest } = await images.put(workspaces.bootFile(workspaceId), { kind: 'disk', name: workspaceId });
  return digest;
}
