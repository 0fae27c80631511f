/** What may be asked of a workspace (PROTOCOL.md, "Commands"). Time, ids and choices of policy arrive as data. */
import type { WorkspaceDescription } from '../description.js';
import type { CommandId, HostId, Instant, WorkspaceId } from '../ids.js';
import type { ImageRef } from './events.js';
import type { WorkspaceState } from './state.js';

/** The ledger's own hand: it may act on an expired workspace whoever holds the lock, and on nothing else. */
export const ledgerSubject = 'CN=workspace-ledger';

interface Asked {
  readonly commandId: CommandId;
  readonly at: Instant;
  /** The caller's subject. */
  readonly by: string;
}

export type WorkspaceCommand = Asked &
  (
    | {
        readonly type: 'create';
        readonly workspaceId: WorkspaceId;
        readonly description: WorkspaceDescription;
        readonly image?: ImageRef;
      }
    | {
        readonly type: 'clone';
        readonly workspaceId: WorkspaceId;
        readonly source: WorkspaceState;
        readonly name?: string;
      }
    | { readonly type: 'refine'; readonly description?: WorkspaceDescription; readonly image?: ImageRef }
    | { readonly type: 'set-lifetime'; readonly expiresAt: Instant | null }
    | { readonly type: 'expire' }
    | { readonly type: 'retire'; readonly reason: string }
    | { readonly type: 'check-out'; readonly leaseUntil: Instant }
    | { readonly type: 'check-in' }
    | { readonly type: 'renew'; readonly leaseUntil: Instant }
    | { readonly type: 'steal-lock'; readonly reason: string; readonly leaseUntil: Instant }
    | {
        readonly type: 'deploy';
        readonly hostId: HostId;
        readonly image: ImageRef;
        readonly addresses: string[];
        readonly leaseUntil: Instant;
        readonly deadline: Instant;
      }
    | {
        readonly type: 'start';
        /** Where to begin: the hot image where there is one, unless told. */
        readonly from?: 'image' | 'hot-image';
        readonly deadline: Instant;
      }
    | { readonly type: 'pause'; readonly deadline: Instant }
    | { readonly type: 'unpause'; readonly deadline: Instant }
    | { readonly type: 'serialise'; readonly deadline: Instant }
    | {
        readonly type: 'stop';
        readonly mode: 'graceful' | 'hard';
        readonly graceMs: number;
        readonly deadline: Instant;
      }
    | { readonly type: 'undeploy'; readonly deadline: Instant }
    | { readonly type: 'cancel'; readonly reason: string }
    | {
        readonly type: 'repair';
        readonly reason: string;
        readonly discardHotImage: boolean;
        readonly image?: ImageRef;
      }
    | { readonly type: 'override'; readonly reason: string }
    | { readonly type: 'mark-unknown'; readonly reason: string }
  );

export type CommandOf<Type extends WorkspaceCommand['type']> = Extract<WorkspaceCommand, { type: Type }>;
