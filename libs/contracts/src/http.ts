/** What the ledger says over HTTP, for clients that share no code with it. Instants are RFC 3339 in UTC; positions count nothing, they only order. */

export const commandVerbs = [
  'check-out',
  'check-in',
  'clone',
  'refine',
  'deploy',
  'start',
  'pause',
  'unpause',
  'serialise',
  'stop',
  'undeploy',
  'cancel',
  'renew',
  'set-lifetime',
  'repair',
  'retire',
  'steal-lock',
  'override',
] as const;

export type CommandVerb = (typeof commandVerbs)[number];

/** The answer to a command that was taken (202), that was done already, or that had been answered before (200). */
export interface CommandAnswer {
  outcome: 'accepted' | 'already-done' | 'repeated';
  workspaceId: string;
  commandId: string;
  /** The intent that the command opened; its outcome comes from the host. Look under `/v1/operations/{workspaceId}/{requestId}`. */
  requestId?: string;
  /** Of the stream after the command. */
  revision: number;
  /** Ask any view with `?after=` this, and it shows the command. */
  position: number;
  /** For create and clone: the workspace's reference (the paper's EPR). */
  reference?: WorkspaceReference;
  /** What the ledger made of the request that the caller may not expect. */
  notices?: string[];
}

export interface WorkspaceReference {
  uri: string;
  owner: string;
}

/** RFC 9457, with the reason code and both sides of the conflict. */
export interface Problem {
  type: string;
  title: string;
  status: number;
  detail: string;
  instance?: string;
  reason: string;
  asked?: Record<string, unknown>;
  found?: Record<string, unknown>;
  /** For refused input: each fault with its place. */
  problems?: { code: string; message: string; where?: Record<string, unknown> }[];
}

export interface HotImageView {
  digest: string;
  sizeBytes: number;
  vmmType: string;
  vmmVersion: string;
  machine: string;
}

export interface WorkspaceView {
  workspaceId: string;
  reference: WorkspaceReference;
  name: string;
  owner: string;
  /** The paper's four states. */
  state: 'shutdown' | 'running' | 'paused' | 'corrupted';
  definition: 'active' | 'retired';
  expired: boolean;
  description: Record<string, unknown>;
  image: { name: string; digest: string; kind: string } | null;
  clonedFrom: { workspaceId: string; revision: number } | null;
  lock: { kind: 'free'; lastEpoch: number } | { kind: 'held'; holder: string; epoch: number; leaseUntil: string };
  placement: { kind: 'none' } | { kind: 'staging' | 'staged' | 'unstaging'; hostId: string; epoch: number };
  power:
    | { kind: 'shutdown' | 'running' | 'paused' }
    | { kind: 'serialised'; guest: 'in-memory' | 'none'; hotImage: HotImageView }
    | { kind: 'unknown'; lastKnown: string; since: string };
  integrity:
    { kind: 'ok' } | { kind: 'suspect'; cause: string } | { kind: 'corrupted'; attempted: string; evidence: string };
  intent:
    | { kind: 'none' }
    | {
        kind: string;
        requestId: string;
        hostId: string;
        epoch: number;
        since: string;
        deadline: string;
        cancelRequested: boolean;
      };
  createdAt: string;
  updatedAt: string;
  expiresAt: string | null;
  revision: number;
  position: number;
}

export interface Page<Item> {
  items: Item[];
  /** Ask again with `?cursor=` this; absent on the last page. */
  nextCursor?: string;
  /** The view's position in the log when it was read. */
  position: number;
}

export interface OperationView {
  workspaceId: string;
  requestId: string;
  kind: string;
  hostId: string;
  epoch: number;
  status: 'open' | 'done' | 'failed' | 'overridden';
  requestedAt: string;
  deadline: string;
  cancelRequested: boolean;
  finishedAt: string | null;
  /** The type of the event that ended it. */
  outcome: string | null;
  failure: { class: string; reason: string } | null;
}

export interface LockView {
  workspaceId: string;
  name: string;
  holder: string;
  epoch: number;
  leaseUntil: string;
  hostId: string | null;
}

export interface HostView {
  hostId: string;
  status: 'connected' | 'lost';
  bootId: string;
  cpus: number;
  memoryMiB: number;
  diskMiB: number;
  vmms: { type: string; version: string; accelerator: string; architectures: string[]; capabilities: string[] }[];
  workspaces: number;
  lastHeard: string | null;
}

export interface ImageView {
  imageId: string;
  name: string;
  kind: 'kernel' | 'disk';
  digest: string;
  sizeBytes: number;
  architecture: string;
  status: 'available' | 'corrupted' | 'retired';
}

/** One event of the log as `/history` and `/v1/events` tell it. */
export interface EventView {
  position: number;
  stream: string;
  revision: number;
  eventId: string;
  type: string;
  recordedAt: string;
  observedAt: string | null;
  actor: string;
  commandId: string | null;
  data: Record<string, unknown>;
}

/** One piece of a guest's console. */
export interface SerialView {
  /** The console's bytes as text, UTF-8 with replacement characters. */
  text: string;
  next: number;
}

export interface WorkspacePage extends Page<WorkspaceView> {}
export interface EventPage extends Page<EventView> {}
export interface OperationPage extends Page<OperationView> {}
export interface LockPage extends Page<LockView> {}
export interface HostPage extends Page<HostView> {}
export interface ImagePage extends Page<ImageView> {}
/** Every shape that an answer may have, by the name that the OpenAPI document gives it. */
export interface HttpShapes {
  CommandAnswer: CommandAnswer;
  Problem: Problem;
  WorkspaceView: WorkspaceView;
  WorkspacePage: WorkspacePage;
  EventPage: EventPage;
  SerialView: SerialView;
  OperationView: OperationView;
  OperationPage: OperationPage;
  LockPage: LockPage;
  HostPage: HostPage;
  ImagePage: ImagePage;
}
