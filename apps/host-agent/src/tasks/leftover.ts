/** What is left in a workspace's folder when its guest is gone. */
import type { Id } from '@vw/contracts';
import type { Means } from './means.js';

/** The guest of this epoch is confirmed absent before. A folder that is not there is success. */
export async function removeLeftover(
  { hypervisor, workspaces }: Pick<Means, 'hypervisor' | 'workspaces'>,
  workspaceId: Id,
  epoch: number,
): Promise<void> {
  await hypervisor.undeploy({ workspaceId, epoch, directory: workspaces.folder(workspaceId) });
  await workspaces.remove(workspaceId);
}
