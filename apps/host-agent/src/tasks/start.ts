/**
 * Boots the guest, or continues it from a hot image. What a crash leaves, and what the repetition then does: before the hypervisor is asked, nothing
 * but notes in `deployment.json`; after it, a guest that the repetition finds running (or, where guests die with the agent, starts once more).
 */
import type { Observation, WireHotImage, Work } from '@vw/contracts';
import { type GuestObservation, type HotImageFile, IncompatibleHotImage, type VmmType } from '@vw/hypervisors';
import { verifyFile } from '@vw/images';
import type { Deployment } from '../workspaces/index.js';
import { observeGuest } from './guests.js';
import { deploymentOf, type Means, type Performance, unlessCancelled } from './means.js';
import { WrongPower } from './setbacks.js';

type StartWork = Extract<Work, { kind: 'start' }>;

export async function start(means: Means, performance: Performance, work: StartWork): Promise<Observation> {
  const { hypervisor, vmmProfile } = means;
  const { workspaceId, epoch } = performance;
  const deployment = await deploymentOf(means, performance);
  const { type, version, accelerator } = vmmProfile;
  const started: Observation = { kind: 'started', from: work.from, vmm: { type, version, accelerator } };
  const before = await observeGuest(hypervisor, workspaceId, epoch);
  switch (before.power) {
    case 'running':
      return started;
    case 'paused':
      // Continued, and still waiting for its first instruction, when the agent died: a guest that is there is not given up any more.
      await hypervisor.start(means.workspaces.guestSpec(deployment));
      break;
    case 'absent':
      unlessCancelled(performance);
      if (work.from === 'image') await boot(means, performance, deployment);
      else await continueFrom(means, performance, deployment, work.hotImage);
  }
  const after = await observeGuest(hypervisor, workspaceId, epoch);
  if (after.power === 'running') return started;
  throw new WrongPower(`the guest was started and is ${after.power}${causeOf(after)}`);
}

async function boot(means: Means, performance: Performance, deployment: Deployment): Promise<void> {
  const { hypervisor, workspaces } = means;
  const { image, diskUsed, workspaceId } = deployment;
  const isDisk = image.kind === 'disk';
  if (!isDisk || !diskUsed) await verifyFile(workspaces.bootFile(workspaceId), image.digest, performance.interrupted);
  unlessCancelled(performance);
  // Written before the guest can write: a disk counts as used rather once too often.
  if (isDisk) await workspaces.write({ ...deployment, diskUsed: true });
  await hypervisor.start(workspaces.guestSpec(deployment));
}

async function continueFrom(
  means: Means,
  performance: Performance,
  deployment: Deployment,
  hotImage: WireHotImage,
): Promise<void> {
  const { hypervisor, workspaces, vmmProfile } = means;
  if (hotImage.vmmType !== vmmProfile.type) {
    throw new IncompatibleHotImage(
      `the hot image was taken under ${hotImage.vmmType}; this host has ${vmmProfile.type}`,
    );
  }
  await bringHotImage(means, performance, hotImage);
  unlessCancelled(performance);
  const whole = { ...deployment, hotImage };
  await workspaces.write(deployment.image.kind === 'disk' ? await withDisk(means, whole) : whole);
  await hypervisor.start(workspaces.guestSpec(deployment), fileOf(means, deployment, hotImage));
}

/**
 * A guest's memory goes with its disk as it was at that moment. Where a guest was continued before a crash, and wrote, and died, its disk has gone on
 * without that memory: to continue it from there once more would corrupt the disk.
 */
async function withDisk(
  { workspaces }: Means,
  deployment: Deployment & { readonly hotImage: WireHotImage },
): Promise<Deployment> {
  const { workspaceId, continued, hotImage } = deployment;
  const diskWrittenNs = await workspaces.bootFileWrittenNs(workspaceId);
  if (continued?.hotImage === hotImage.digest && continued.diskWrittenNs !== diskWrittenNs) {
    throw new IncompatibleHotImage(
      'a guest was continued from this hot image already, and has written to its disk since',
    );
  }
  return { ...deployment, diskUsed: true, continued: { hotImage: hotImage.digest, diskWrittenNs } };
}

/** Makes sure that `hot.img` holds these very bytes: what lies here serves when its digest holds, else the repository's. */
async function bringHotImage(
  { workspaces, images }: Means,
  performance: Performance,
  hotImage: WireHotImage,
): Promise<void> {
  const file = workspaces.hotImageFile(performance.workspaceId);
  const isHere = await verifyFile(file, hotImage.digest, performance.interrupted).then(
    () => true,
    () => false,
  );
  if (!isHere) await images.fetch(hotImage.digest, file, performance.interrupted);
}

function fileOf(
  { workspaces }: Means,
  { workspaceId }: Deployment,
  { vmmType, vmmVersion, machine }: WireHotImage,
): HotImageFile {
  return { file: workspaces.hotImageFile(workspaceId), vmmType: vmmType as VmmType, vmmVersion, machine };
}

const causeOf = (seen: GuestObservation): string =>
  seen.power === 'absent' && seen.cause !== undefined ? `: ${seen.cause}` : '';
