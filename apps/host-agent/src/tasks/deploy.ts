/**
 * Stages every component of a workspace to this host (the paper's "deploy"). What a crash leaves, and what the repetition then does:
 *
 *  1. the folder is cleared of an older epoch: its guest is confirmed absent first. A crash leaves a leftover, cleared again.
 *  2. `boot.img` and `hot.img` are fetched, each whole or not there, its digest verified (invariant I10). A crash leaves a leftover.
 *  3. `deployment.json` is written: from here on the workspace is deployed. A crash leaves the rest of the steps, which come again.
 *  4. the hypervisor prepares the folder for this epoch, as often as it is asked to.
 */
import type { Observation, Work } from '@vw/contracts';
import type { Deployment } from '../workspaces/index.js';
import { ensureAbsent, observeGuest } from './guests.js';
import { type Means, type Performance, unlessCancelled } from './means.js';
import { mustWait, Unconfirmed } from './setbacks.js';

type DeployWork = Extract<Work, { kind: 'deploy' }>;

export async function deploy(means: Means, performance: Performance, work: DeployWork): Promise<Observation> {
  const { hypervisor, workspaces } = means;
  const { workspaceId, epoch } = performance;
  try {
    const deployment = (await stagedBefore(means, performance)) ?? (await stageFiles(means, performance, work));
    await hypervisor.stage(workspaces.guestSpec(deployment));
  } catch (error) {
    if (!mustWait(error)) await clearAway(means, performance);
    throw error;
  }
  const { power } = await observeGuest(hypervisor, workspaceId, epoch);
  if (power !== 'absent')
    throw new Unconfirmed(`a guest of workspace ${workspaceId} is ${power} before it was started`);
  return { kind: 'deployed', imageDigest: work.image.digest };
}

/** The deployment of this epoch that an earlier performance has made, if any. */
async function stagedBefore(
  { workspaces }: Means,
  { workspaceId, epoch }: Performance,
): Promise<Deployment | undefined> {
  const found = await workspaces.find(workspaceId);
  return found.kind === 'deployed' && found.deployment.epoch === epoch ? found.deployment : undefined;
}

async function stageFiles(means: Means, performance: Performance, work: DeployWork): Promise<Deployment> {
  const { hypervisor, workspaces, images } = means;
  const { workspaceId, epoch, interrupted } = performance;
  await ensureAbsent(hypervisor, workspaceId, epoch).catch((cause: unknown) => {
    throw new Unconfirmed(`an older guest of workspace ${workspaceId} may still be here`, { cause });
  });
  await workspaces.remove(workspaceId);
  unlessCancelled(performance);
  await workspaces.make(workspaceId);
  await images.fetch(work.image.digest, workspaces.bootFile(workspaceId), interrupted);
  if (work.hotImage) await images.fetch(work.hotImage.digest, workspaces.hotImageFile(workspaceId), interrupted);
  unlessCancelled(performance);
  const { image, hotImage, machine, addresses } = work;
  const deployment: Deployment = {
    format: 1,
    workspaceId,
    epoch,
    image,
    hotImage,
    machine,
    addresses,
    diskUsed: false,
  };
  await workspaces.write(deployment);
  return deployment;
}

/** After a failure nothing of the attempt stays. What cannot be removed now is removed by the next deployment, before its own files come. */
async function clearAway(
  { hypervisor, workspaces, logger }: Means,
  { workspaceId, epoch }: Performance,
): Promise<void> {
  try {
    await hypervisor.undeploy({ workspaceId, epoch, directory: workspaces.folder(workspaceId) });
    await workspaces.remove(workspaceId);
  } catch (error) {
    logger.warn({ err: error, workspaceId, epoch }, 'what a failed deployment has left could not be removed');
  }
}
