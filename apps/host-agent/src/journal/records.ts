/**
 * What an agent must still know after it has died at any moment. A record is written, and synchronised, before what it allows is done.
 */
import type { Digest, Epoch, Evidence, Id, Task, WireHotImage } from '@vw/contracts';

export type JournalRecord =
  /** A task was taken; it is performed until evidence answers it, however often the agent dies on the way. */
  | { readonly type: 'task'; readonly task: Task }
  /** A task was given up, perhaps before it came. */
  | { readonly type: 'cancelled'; readonly workspaceId: Id; readonly taskId: Id }
  /** What was observed; it answers a task when it bears a request id. */
  | { readonly type: 'evidence'; readonly evidence: Evidence }
  /** Evidence needs no more sending: the ledger has it, or newer evidence says more. */
  | { readonly type: 'settled'; readonly bootId: Id; readonly seq: number }
  | Released
  /** Nothing of this epoch or below is here any more, nor may it come back (invariant I3). */
  | { readonly type: 'closed'; readonly workspaceId: Id; readonly epoch: Epoch }
  /** A folder on this host is of an epoch that no task in the journal speaks of. */
  | { readonly type: 'seen'; readonly workspaceId: Id; readonly epoch: Epoch }
  /** The sum of older records. `closedThrough` is 0 when no epoch is closed. */
  | { readonly type: 'epochs'; readonly workspaceId: Id; readonly highest: Epoch; readonly closedThrough: number };

/** An undeployment has brought everything to safety and the guest is absent: from here on the directory may go. */
export interface Released {
  readonly type: 'released';
  readonly workspaceId: Id;
  readonly epoch: Epoch;
  readonly taskId: Id;
  readonly imageDigest: Digest;
  readonly hotImage?: WireHotImage;
}
