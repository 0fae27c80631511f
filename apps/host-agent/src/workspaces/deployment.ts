/** `deployment.json`: what was brought to this host for one workspace, and what has become of it since. Written whole, or not at all. */
import type { Digest, Epoch, Id, MachineSpec, WireHotImage, WireImage } from '@vw/contracts';

export interface Deployment {
  readonly format: 1;
  readonly workspaceId: Id;
  readonly epoch: Epoch;
  /** As it was staged in `boot.img`; the bytes of a used disk are others by now. */
  readonly image: WireImage;
  readonly machine: MachineSpec;
  readonly addresses: readonly string[];
  /** A guest was started that could write to its disk. */
  readonly diskUsed: boolean;
  /** What `hot.img` should hold; it is believed only when its bytes hash to the digest. */
  readonly hotImage?: WireHotImage;
  /**
   * A hot image from which a guest was to be continued, and when the disk was last written before that (nanoseconds since the Unix epoch). A disk
   * written since then no longer belongs to the memory in that hot image.
   */
  readonly continued?: { readonly hotImage: Digest; readonly diskWrittenNs: string };
  /** What an undeployment has captured already: the paused guest itself may have died with the process since. */
  readonly captured?: { readonly taskId: Id; readonly hotImage: WireHotImage };
}

/** `damaged`: there is a file, and it is not one that this agent has written. */
export type Found =
  | { readonly kind: 'deployed'; readonly deployment: Deployment }
  | { readonly kind: 'damaged'; readonly reason: string }
  | { readonly kind: 'nothing' };

export function parseDeployment(workspaceId: Id, text: string): Found {
  let found: Partial<Deployment> | null;
  try {
    found = JSON.parse(text) as Partial<Deployment> | null;
  } catch {
    return { kind: 'damaged', reason: 'deployment.json is not JSON' };
  }
  if (found?.format !== 1)
    return { kind: 'damaged', reason: 'deployment.json is of a format that this version does not know' };
  if (found.workspaceId !== workspaceId || !Number.isSafeInteger(found.epoch)) {
    return {
      kind: 'damaged',
      reason: `deployment.json speaks of workspace ${found.workspaceId}, epoch ${found.epoch}`,
    };
  }
  return { kind: 'deployed', deployment: found as Deployment };
}
