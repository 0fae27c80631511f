/**
 * A log that never changes: every type of event, in lives that need not make sense, for a fold is total. It comes from no decider,
 * so that what is decided may change and only what is folded is held. Many lives of every length, so that each fold is somewhere
 * the last word.
 */
import type { EventMetadata, HostEvent, ImageEvent, WorkspaceDescription, WorkspaceEvent } from '@vw/domain';
import type { Position, RecordedEvent } from '@vw/event-store';
import { encodeEvent } from '../decode.js';

type Choose = <T>(from: readonly T[]) => T;

/** Plain data: ids here are texts and numbers without their brands. */
type Plain<T> = T extends string
  ? string
  : T extends number
    ? number
    : T extends object
      ? { [K in keyof T]: Plain<T[K]> }
      : T;
type DataOf<E extends { type: string; data: unknown }, Type> = Plain<Extract<E, { type: Type }>['data']>;
type Samples<E extends { type: string; data: unknown }> = { [Type in E['type']]: (life: Life) => DataOf<E, Type> };

/** Where a life stands: what its next event speaks of. */
interface Life {
  readonly id: string;
  readonly choose: Choose;
  readonly now: number;
  readonly request: string;
}

const LIVES = 1000;
const LONGEST_LIFE = 30;

const people = ['CN=Ada', 'CN=Grace'] as const;
const guests = ['running', 'paused', 'absent'] as const;
const believed = ['shutdown', 'running', 'paused', 'serialised', 'unknown'] as const;
const image = { name: 'emboss', digest: 'sha256:1', kind: 'disk' } as const;
const hotImage = { digest: 'sha256:2', sizeBytes: 4096, vmmType: 'v86', vmmVersion: '1', machine: 'pc' };
const capacity = {
  cpus: 2,
  memoryMiB: 512,
  diskMiB: 1024,
  vmms: [{ type: 'v86', version: '1', accelerator: 'wasm', architectures: ['x86'], capabilities: ['pause'] }],
};
const description = (name: string): WorkspaceDescription => ({
  category: 'virtual-machine',
  name,
  requirements: {},
  disks: [],
  network: { nics: [] },
});

const place = ({ choose }: Life) => ({ hostId: choose(['h1', 'h2']), epoch: choose([1, 2, 3]) });
const grant = (life: Life) => ({
  holder: life.choose(people),
  epoch: life.choose([1, 2, 3]),
  leaseUntil: life.now + 50,
});
const intent = (life: Life) => ({ requestId: life.request, ...place(life), deadline: life.now + 20 });
const outcome = (life: Life) => ({ requestId: life.request, ...place(life) });
const failure = (life: Life) => ({
  ...outcome(life),
  class: life.choose(['host', 'vmm', 'guest', 'image', 'corrupt', 'cancelled', 'stale-epoch'] as const),
  reason: 'it did not go',
  guest: life.choose(guests),
});

/** A record and not a list, so that the compiler misses a type that is not here. */
const workspaceSamples: Samples<WorkspaceEvent> = {
  WorkspaceCreated: ({ id, choose, now }) => ({
    workspaceId: id,
    owner: choose(people),
    description: description('new'),
    image: choose([image, undefined]),
    clonedFrom: choose([undefined, { workspaceId: 'w0', revision: 3 }]),
    expiresAt: choose([undefined, now + 100]),
  }),
  WorkspaceRefined: ({ choose }) =>
    choose([{ description: description('refined') }, { image: { ...image, digest: 'sha256:3' } }]),
  LifetimeSet: ({ choose, now }) => ({ expiresAt: choose([null, now + 200]) }),
  WorkspaceExpired: ({ now }) => ({ expiresAt: now }),
  WorkspaceRetired: () => ({ reason: 'no use' }),
  WorkspaceCheckedOut: grant,
  LeaseRenewed: grant,
  LockStolen: (life) => ({ ...grant(life), from: 'CN=Ada', reason: 'on leave' }),
  WorkspaceCheckedIn: ({ choose }) => ({ holder: choose(people), epoch: choose([1, 2, 3]), because: 'asked' as const }),
  DeployRequested: (life) => ({ ...intent(life), image, addresses: [] }),
  WorkspaceDeployed: (life) => ({ ...outcome(life), imageDigest: image.digest }),
  DeployFailed: failure,
  UndeployRequested: (life) => ({ ...intent(life), captureHotImage: life.choose([true, false]) }),
  WorkspaceUndeployed: (life) => ({
    ...outcome(life),
    imageDigest: 'sha256:4',
    hotImage: life.choose([hotImage, undefined]),
  }),
  UndeployFailed: failure,
  StartRequested: (life) => ({ ...intent(life), from: { kind: 'image' as const, digest: image.digest } }),
  WorkspaceStarted: (life) => ({
    ...outcome(life),
    from: 'image' as const,
    vmm: { type: 'v86', version: '1', accelerator: 'wasm' },
  }),
  StartFailed: failure,
  PauseRequested: intent,
  WorkspacePaused: outcome,
  PauseFailed: failure,
  UnpauseRequested: intent,
  WorkspaceUnpaused: outcome,
  UnpauseFailed: failure,
  SerialiseRequested: intent,
  HotImageCaptured: (life) => ({ ...outcome(life), hotImage }),
  SerialiseFailed: failure,
  StopRequested: (life) => ({ ...intent(life), mode: 'graceful' as const, graceMs: 10 }),
  WorkspaceStopped: outcome,
  StopFailed: failure,
  CancelRequested: ({ request }) => ({ requestId: request, reason: 'changed my mind' }),
  WorkspaceCorrupted: () => ({ attempted: 'start', evidence: 'digest' }),
  WorkspaceRepaired: ({ choose }) => ({
    reason: 'restored',
    discardedHotImage: choose([true, false]),
    image: choose([undefined, image]),
  }),
  DriftDetected: (life) => ({
    ...place(life),
    believed: life.choose(believed),
    observed: life.choose(guests),
    cause: 'it vanished',
  }),
  PlacementBecameUnknown: (life) => ({
    ...place(life),
    lastKnown: life.choose(believed),
    since: life.now,
    reason: 'silence',
  }),
  OperatorOverrode: (life) => ({
    ...place(life),
    closedRequestId: life.choose([undefined, life.request]),
    asserted: 'guest-absent' as const,
    reason: 'the rack burned',
  }),
};
const hostSamples: Samples<HostEvent> = {
  HostConnected: ({ id }) => ({ hostId: id, bootId: 'b1', capacity }),
  HostLost: ({ id, now }) => ({ hostId: id, bootId: 'b1', lastHeard: now }),
  HostReturned: ({ id }) => ({ hostId: id, bootId: 'b1' }),
};
const imageSamples: Samples<ImageEvent> = {
  ImageAdded: ({ id }) => ({
    imageId: id,
    name: `image ${id}`,
    kind: 'disk',
    digest: image.digest,
    sizeBytes: 4096,
    architecture: 'x86',
  }),
  ImageCorrupted: ({ id }) => ({ imageId: id, digest: image.digest, evidence: 'digest' }),
  ImageRetired: ({ id }) => ({ imageId: id, reason: 'no use' }),
};

export function fixedLog(): readonly RecordedEvent[] {
  const log: RecordedEvent[] = [];
  const choose = chooser();
  for (let life = 1; life <= LIVES; life += 1) {
    const length = 1 + (life % LONGEST_LIFE);
    live(log, choose, `workspace-w${life}`, workspaceSamples, length);
    if (life % 20 === 0) live(log, choose, `host-h${life}`, hostSamples, 1 + (life % 7));
    if (life % 20 === 10) live(log, choose, `image-i${life}`, imageSamples, 1 + (life % 7));
  }
  return log;
}

/** One stream: its first sample, then any; but no request while another is under way, for that no view takes. */
function live(
  log: RecordedEvent[],
  choose: Choose,
  stream: string,
  samples: Record<string, (life: Life) => object>,
  length: number,
): void {
  const types = Object.keys(samples);
  const unlessOpen = types.filter((type) => !opens(type));
  const id = stream.slice(stream.indexOf('-') + 1);
  let requests = 0;
  let open = false;
  for (let revision = 0; revision < length; revision += 1) {
    const type: string = revision === 0 ? (types[0] as string) : choose(open ? unlessOpen : types);
    if (opens(type)) requests += 1;
    const now = 1000 + log.length;
    const request = `${id}-r${requests}`;
    const data = (samples[type] as (life: Life) => object)({ id, choose, now, request });
    open = opens(type) || (open && !ends(type, data));
    const position = (log.length + 1) as Position;
    const encoded = encodeEvent({ type, data } as WorkspaceEvent, metadataOf(choose, now, `c${position}`));
    log.push({ ...encoded, id: `e${position}`, stream, revision, position, created: now });
  }
}

function opens(type: string): boolean {
  return type.endsWith('Requested') && type !== 'CancelRequested';
}

function ends(type: string, data: { readonly requestId?: string; readonly closedRequestId?: string }): boolean {
  return (data.requestId !== undefined && type !== 'CancelRequested') || data.closedRequestId !== undefined;
}

function metadataOf(choose: Choose, now: number, by: string): EventMetadata {
  const cause = choose([
    { commandId: by, commandDigest: 'd'.repeat(64) },
    { commandId: by },
    { evidence: { hostId: choose(['h1', 'h2']), bootId: choose(['b1', 'b2']), seq: now % 7, observedAt: now - 1 } },
  ]);
  const principal = { subject: choose(people), attributes: {}, method: 'ledger' } as const;
  return {
    schemaVersion: 1,
    principal,
    recordedAt: now,
    correlationId: by,
    causationId: by,
    ...cause,
  } as EventMetadata;
}

/** Always the same choices (a linear congruential generator; the constants are those of Numerical Recipes). */
function chooser(): Choose {
  let state = 1;
  return <T>(from: readonly T[]): T => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return from[Math.floor((state / 2 ** 32) * from.length)] as T;
  };
}
