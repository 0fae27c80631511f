/** What is known of a workspace: axes, never one enum (PROTOCOL.md, "State"). */
import type { WorkspaceDescription } from '../description.js';
import type { CommandId, Epoch, HostId, Instant, WorkspaceId } from '../ids.js';
import type { BelievedPower, HotImage, ImageRef } from './events.js';

export type Definition = 'none' | 'active' | 'retired';

export type Lock =
  | { readonly kind: 'free'; readonly lastEpoch: number }
  | {
      readonly kind: 'held';
      readonly holder: string;
      readonly epoch: Epoch;
      readonly leaseUntil: Instant;
      /** A deployment was tried under this epoch: another one needs a new grant, so that no late task of the first can act. */
      readonly spent: boolean;
    };

export type Placement =
  | { readonly kind: 'none' }
  | { readonly kind: 'staging' | 'staged' | 'unstaging'; readonly hostId: HostId; readonly epoch: Epoch };

export type Power =
  | { readonly kind: 'shutdown' }
  | { readonly kind: 'running' }
  | { readonly kind: 'paused' }
  /** The full state is in a hot image; the frozen guest may still be in memory beside it. */
  | { readonly kind: 'serialised'; readonly hotImage: HotImage; readonly guest: 'in-memory' | 'none' }
  | {
      readonly kind: 'unknown';
      readonly lastKnown: BelievedPower;
      readonly since: Instant;
      readonly hotImage?: HotImage;
    };

export type Integrity =
  | { readonly kind: 'ok' }
  /** The guest vanished unasked: what it was writing may be half written. */
  | { readonly kind: 'suspect'; readonly cause: string }
  | { readonly kind: 'corrupted'; readonly attempted: string; readonly evidence: string };

export type IntentKind = 'deploy' | 'start' | 'pause' | 'unpause' | 'serialise' | 'stop' | 'undeploy';

export type Intent =
  | { readonly kind: 'none' }
  | {
      readonly kind: IntentKind;
      readonly requestId: CommandId;
      readonly hostId: HostId;
      readonly epoch: Epoch;
      readonly since: Instant;
      readonly deadline: Instant;
      readonly cancelRequested: boolean;
      /** The event that opened it, so that a task can be made of it at any time. */
      readonly revision: number;
    };

export interface WorkspaceState {
  readonly definition: Definition;
  readonly workspaceId: WorkspaceId;
  readonly owner: string;
  readonly description: WorkspaceDescription;
  readonly image?: ImageRef;
  readonly clonedFrom?: { readonly workspaceId: WorkspaceId; readonly revision: number };
  readonly createdAt: Instant;
  readonly expiresAt?: Instant;
  readonly expired: boolean;
  readonly lock: Lock;
  readonly placement: Placement;
  readonly power: Power;
  readonly integrity: Integrity;
  readonly intent: Intent;
  /** The newest host evidence on record, of the boot that spoke last. */
  readonly heard?: { readonly hostId: HostId; readonly bootId: string; readonly seq: number };
  /** Revision of the last event; -1 before the first. */
  readonly revision: number;
  readonly position: number;
}

export const unborn: WorkspaceState = {
  definition: 'none',
  workspaceId: '' as WorkspaceId,
  owner: '',
  description: { category: 'virtual-machine', name: '', requirements: {}, disks: [], network: { nics: [] } },
  createdAt: 0,
  expired: false,
  lock: { kind: 'free', lastEpoch: 0 },
  placement: { kind: 'none' },
  power: { kind: 'shutdown' },
  integrity: { kind: 'ok' },
  intent: { kind: 'none' },
  revision: -1,
  position: 0,
};

/** The paper's four states (§3.2), as a projection of the axes. */
export type PaperState = 'shutdown' | 'running' | 'paused' | 'corrupted';

export function paperState(state: Pick<WorkspaceState, 'power' | 'integrity'>): PaperState {
  if (state.integrity.kind === 'corrupted') return 'corrupted';
  const power = state.power.kind === 'unknown' ? state.power.lastKnown : state.power.kind;
  switch (power) {
    case 'running':
      return 'running';
    case 'paused':
    case 'serialised':
      return 'paused';
    default:
      return 'shutdown';
  }
}
