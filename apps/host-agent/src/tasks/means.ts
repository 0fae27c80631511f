/** What a task is performed with, and how it is given up. */
import type { Id, Task } from '@vw/contracts';
import type { Hypervisor, VmmProfile } from '@vw/hypervisors';
import type { ImageRepository } from '@vw/images';
import type { Logger } from '@vw/runtime';
import type { Journal } from '../journal/index.js';
import type { Deployment, Workspaces } from '../workspaces/index.js';
import { Cancelled, NotDeployed } from './setbacks.js';

export interface Means {
  readonly hypervisor: Hypervisor;
  readonly vmmProfile: VmmProfile;
  readonly images: ImageRepository;
  readonly workspaces: Workspaces;
  readonly journal: Journal;
  readonly logger: Logger;
}

/** A task in performance. */
export interface Performance {
  readonly workspaceId: Id;
  readonly epoch: number;
  readonly taskId: Id;
  /** Somebody gave the task up; what has happened already stands. */
  readonly cancelled: AbortSignal;
  /** `cancelled`, or the agent is being closed: whatever takes long is to be broken off. */
  readonly interrupted: AbortSignal;
}

export const performanceOf = (task: Task, cancelled: AbortSignal, closing: AbortSignal): Performance => ({
  workspaceId: task.workspaceId,
  epoch: task.epoch,
  taskId: task.taskId,
  cancelled,
  interrupted: AbortSignal.any([cancelled, closing]),
});

/** @throws Cancelled */
export function unlessCancelled({ cancelled }: Performance): void {
  if (cancelled.aborted) throw new Cancelled();
}

/** @throws NotDeployed */
export async function deploymentOf({ workspaces }: Means, { workspaceId, epoch }: Performance): Promise<Deployment> {
  const found = await workspaces.find(workspaceId);
  switch (found.kind) {
    case 'nothing':
      throw new NotDeployed(`workspace ${workspaceId} is not deployed on this host`);
    case 'damaged':
      throw new NotDeployed(`what is deployed of workspace ${workspaceId} cannot be told: ${found.reason}`);
    case 'deployed':
      if (found.deployment.epoch === epoch) return found.deployment;
      throw new NotDeployed(
        `workspace ${workspaceId} is deployed here for epoch ${found.deployment.epoch}, not for ${epoch}`,
      );
  }
}
