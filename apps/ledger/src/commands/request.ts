/** A command as it comes in from outside, before policy and the state of the world are added to it. */
import type { CommandId, Principal, Refusal, WorkspaceDescription, WorkspaceId } from '@vw/domain';

/** What each verb may say besides its workspace; absent values are chosen by policy. Seconds and milliseconds as named. */
export interface CommandBodies {
  create: { description: WorkspaceDescription; image?: string };
  clone: { source: WorkspaceId; name?: string };
  refine: { description?: WorkspaceDescription; image?: string; vmm?: string };
  'check-out': { leaseSeconds?: number };
  'check-in': object;
  renew: { leaseSeconds?: number };
  'steal-lock': { reason: string; leaseSeconds?: number };
  deploy: { host?: string; image?: string; leaseSeconds?: number; deadlineSeconds?: number };
  start: { from?: 'image' | 'hot-image'; deadlineSeconds?: number };
  pause: { deadlineSeconds?: number };
  unpause: { deadlineSeconds?: number };
  serialise: { deadlineSeconds?: number };
  stop: { mode?: 'graceful' | 'hard'; graceSeconds?: number; deadlineSeconds?: number };
  undeploy: { deadlineSeconds?: number };
  cancel: { reason: string };
  /** One of the two: an instant (null: for ever), or seconds from now. */
  'set-lifetime': { expiresAt?: number | null; seconds?: number };
  repair: { reason: string; discardHotImage?: boolean; image?: string };
  retire: { reason: string };
  override: { reason: string };
  /** The ledger's own, when a host does not answer. */
  'mark-unknown': { reason: string };
  /** The ledger's own, when a lifetime is over. */
  expire: object;
}

export type Verb = keyof CommandBodies;

export type CommandRequest = {
  [V in Verb]: {
    readonly verb: V;
    readonly workspaceId: WorkspaceId;
    readonly body: CommandBodies[V];
    readonly commandId: CommandId;
    readonly principal: Principal;
  };
}[Verb];

export type CommandOutcome =
  | {
      readonly kind: 'accepted' | 'repeated';
      readonly revision: number;
      readonly position: number;
      /** The id of the intent it opened, if it opened one. */
      readonly requestId?: CommandId;
    }
  | { readonly kind: 'already-done'; readonly revision: number; readonly position: number }
  | { readonly kind: 'refused'; readonly refusal: Refusal };
