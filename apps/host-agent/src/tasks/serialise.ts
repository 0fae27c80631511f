/**
 * Writes a paused guest's full state to a hot image. What a crash leaves, and what the repetition then does: an unfinished or unknown file, which
 * is written over; or a hot image in the repository that nobody knows of yet, beside which another is put.
 */
import { rm } from 'node:fs/promises';
import type { Observation, WireHotImage } from '@vw/contracts';
import type { Deployment } from '../workspaces/index.js';
import { observeGuest } from './guests.js';
import { deploymentOf, type Means, type Performance, unlessCancelled } from './means.js';
import { WrongPower } from './setbacks.js';

export async function serialise(means: Means, performance: Performance): Promise<Observation> {
  const { workspaceId, epoch } = performance;
  const deployment = await deploymentOf(means, performance);
  const { power } = await observeGuest(means.hypervisor, workspaceId, epoch);
  if (power !== 'paused') throw new WrongPower(`only a paused guest can be serialised; this one is ${power}`);
  unlessCancelled(performance);
  const { hotImage } = await capture(means, deployment);
  return { kind: 'serialised', hotImage };
}

/** Brings the paused guest's state to the repository, and keeps it in `hot.img` for a start on this host. */
export async function capture(
  means: Means,
  deployment: Deployment,
): Promise<Deployment & { readonly hotImage: WireHotImage }> {
  const { hypervisor, images, workspaces } = means;
  const { workspaceId, epoch } = deployment;
  const fresh = workspaces.freshHotImageFile(workspaceId);
  await rm(fresh, { force: true });
  const { vmmType, vmmVersion, machine } = await hypervisor.serialise(workspaceId, epoch, fresh);
  const { digest, sizeBytes } = await images.put(fresh, { kind: 'hot-image', name: workspaceId });
  const captured = { ...deployment, hotImage: { digest, sizeBytes, vmmType, vmmVersion, machine } };
  await workspaces.keepFreshHotImage(workspaceId);
  await workspaces.write(captured);
  return captured;
}
