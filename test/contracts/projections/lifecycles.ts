/**
 * A site at work: workspaces come, are deployed, run, and go, and now and then something goes wrong. Every event is one that the
 * deciders gave, so the log is one that could have happened. The same choices give the same log.
 */
import type {
  CommandId,
  Decision,
  EventMetadata,
  FailureClass,
  HostEvent,
  HostId,
  ImageDigest,
  ImageEvent,
  ImageId,
  Observation,
  Principal,
  WorkspaceCommand,
  WorkspaceDescription,
  WorkspaceEvent,
  WorkspaceId,
  WorkspaceState,
} from '@vw/domain';
import { decideWorkspace, evolve, interpretEvidence, unborn } from '@vw/domain';
import type { Position, RecordedEvent } from '@vw/event-store';
import { encodeEvent } from '@vw/projections';

/** A whole number in [0, bound). */
export type Choose = (bound: number) => number;

export interface SiteOptions {
  readonly choose: Choose;
  /** How many workspaces are alive at a time. */
  readonly workspaces: number;
  /** Out of 100 steps, how many ask for something that may well be refused. */
  readonly oddity: number;
}

/** Somebody else's, in the same store. */
export const foreignStream = 'account-7';

const BEGINNING = 1_760_000_000_000;
const HOUR_MS = 3_600_000;
const digest = (n: number): ImageDigest => `sha256:${n.toString(16).padStart(64, '0')}` as ImageDigest;

const people: readonly Principal[] = ['Ada Lovelace', 'Grace Hopper', 'Edsger Dijkstra', 'Barbara Liskov'].map(
  (name) => ({
    subject: `CN=${name},OU=Computing,O=Example Grid`,
    attributes: { vo: ['/example/Role=member'] },
    method: 'asserted-on-loopback',
  }),
);
const [somebody] = people as readonly [Principal, ...Principal[]];

const hosts = Array.from({ length: 8 }, (_, index) => `host-${index}` as HostId);

const description = (name: string): WorkspaceDescription => ({
  category: 'virtual-machine',
  name,
  requirements: {
    architecture: 'x86',
    vmm: { type: 'any' },
    memoryMiB: { min: 64, max: 512 },
    cpus: { min: 1 },
    software: [{ name: 'emboss', version: '6.6.0' }],
  },
  capabilities: ['pause', 'hot-image'],
  disks: [{ role: 'root', location: 'image:emboss', mountAs: 'hda' }],
  network: { nics: [{ name: 'eth0', association: 'private', acquisition: 'allocate' }] },
});

/** What comes next in an ordinary life; where several may, the first is the likeliest. */
function ordinary({ lock, placement, power }: WorkspaceState, choose: Choose): WorkspaceCommand['type'] {
  if (placement.kind === 'none') {
    if (lock.kind === 'free') return choose(4) > 0 ? 'deploy' : choose(2) > 0 ? 'refine' : 'retire';
    return choose(8) > 0 ? 'deploy' : 'check-in';
  }
  switch (power.kind) {
    case 'shutdown':
      return choose(3) > 0 ? 'start' : 'undeploy';
    case 'running':
      return (['stop', 'pause', 'pause', 'renew'] as const)[choose(4)] ?? 'stop';
    case 'paused':
      return (['unpause', 'serialise', 'undeploy'] as const)[choose(3)] ?? 'unpause';
    case 'serialised':
      return power.guest === 'none' ? (choose(2) > 0 ? 'start' : 'undeploy') : 'unpause';
    case 'unknown':
      return 'stop';
  }
}

const anything = [
  'check-out',
  'check-in',
  'refine',
  'renew',
  'steal-lock',
  'cancel',
  'set-lifetime',
  'expire',
  'mark-unknown',
  'override',
  'repair',
  'retire',
  'deploy',
  'stop',
] as const;

export class Site {
  readonly #options: SiteOptions;
  readonly #alive: WorkspaceState[] = [];
  readonly #revisions = new Map<string, number>();
  readonly #log: RecordedEvent[] = [];
  #now = BEGINNING;
  #ids = 0;

  constructor(options: SiteOptions) {
    this.#options = options;
    hosts.forEach((hostId) => this.#connect(hostId));
    this.#append<ImageEvent>('image-emboss', this.#caused(somebody), {
      type: 'ImageAdded',
      data: {
        imageId: 'emboss' as ImageId,
        name: 'emboss',
        kind: 'disk',
        digest: digest(1),
        sizeBytes: 1 << 28,
        architecture: 'x86',
      },
    });
  }

  /** Everything that happened so far. */
  get log(): readonly RecordedEvent[] {
    return this.#log;
  }

  /** Lets one thing be asked for, or one host report. A refusal adds nothing to the log. */
  step(): void {
    const { choose, workspaces, oddity } = this.#options;
    this.#now += 1 + choose(2000);
    if (this.#alive.length < workspaces) return this.#create();
    if (choose(500) === 1) return this.#hostTrouble();
    if (choose(500) === 1) return this.#foreign();
    const index = choose(this.#alive.length);
    const state = this.#alive[index];
    if (state === undefined) return;
    const odd = choose(100) < oddity;
    if (state.intent.kind !== 'none' && !odd) return this.#report(index, state);
    const type = odd ? (anything[choose(anything.length)] ?? 'renew') : ordinary(state, choose);
    this.#ask(index, state, this.#command(state, type));
  }

  #create(): void {
    const by = this.#person();
    const workspaceId = this.#id() as WorkspaceId;
    const command: WorkspaceCommand = {
      type: 'create',
      workspaceId,
      description: description(`emboss-${this.#alive.length}`),
      image: { name: 'emboss', digest: digest(1), kind: 'disk' },
      commandId: this.#id() as CommandId,
      at: this.#now,
      by: by.subject,
    };
    this.#alive.push({ ...unborn, workspaceId });
    this.#ask(this.#alive.length - 1, unborn, command, workspaceId);
  }

  #command(state: WorkspaceState, type: (typeof anything)[number] | WorkspaceCommand['type']): WorkspaceCommand {
    const { choose } = this.#options;
    const by = state.lock.kind === 'held' && choose(10) > 0 ? state.lock.holder : this.#person().subject;
    const at = this.#now;
    return {
      type,
      by,
      at,
      commandId: this.#id() as CommandId,
      deadline: at + 60_000,
      leaseUntil: at + HOUR_MS,
      reason: 'as asked',
      expiresAt: choose(3) === 0 ? null : at + choose(24) * HOUR_MS + 1,
      hostId: hosts[choose(hosts.length)],
      image: type === 'deploy' ? (state.image ?? { name: 'emboss', digest: digest(1), kind: 'disk' }) : undefined,
      addresses: [],
      mode: 'graceful',
      graceMs: 10_000,
      discardHotImage: choose(2) === 0,
      description: type === 'refine' ? description(`emboss-${choose(50)}`) : undefined,
    } as unknown as WorkspaceCommand;
  }

  #ask(index: number, state: WorkspaceState, command: WorkspaceCommand, id: WorkspaceId = state.workspaceId): void {
    const decision: Decision<WorkspaceEvent> = decideWorkspace(state, command);
    if (decision.kind !== 'accepted') return;
    const principal = people.find((person) => person.subject === command.by) ?? somebody;
    const { commandId } = command;
    const metadata = {
      ...this.#caused(principal, commandId),
      commandId,
      commandDigest: digest(this.#ids).slice('sha256:'.length),
    };
    this.#happened(index, state, id, metadata, decision.events);
  }

  #report(index: number, state: WorkspaceState): void {
    const { intent } = state;
    if (intent.kind === 'none') return;
    const { choose } = this.#options;
    const observation: Observation =
      choose(40) === 1
        ? {
            kind: 'failed',
            class: (['host', 'vmm', 'cancelled', 'corrupt'] as const satisfies FailureClass[])[choose(4)] ?? 'host',
            reason: 'the host said no',
            guest: intent.kind === 'pause' || intent.kind === 'serialise' ? 'running' : 'absent',
          }
        : this.#success(intent.kind, state);
    const { hostId, epoch, requestId } = intent;
    const told = interpretEvidence(state, { hostId, epoch, requestId, observation });
    if (told.kind !== 'events') return;
    const principal: Principal = { subject: `CN=${hostId}`, attributes: {}, method: 'host' };
    const evidence = { hostId, bootId: `boot-${hostId}`, seq: this.#ids, observedAt: this.#now - 5 };
    this.#happened(index, state, state.workspaceId, { ...this.#caused(principal, requestId), evidence }, told.events);
  }

  #success(kind: Exclude<WorkspaceState['intent']['kind'], 'none'>, state: WorkspaceState): Observation {
    const hotImage = { digest: digest(this.#ids), sizeBytes: 12_345, vmmType: 'v86', vmmVersion: '0.5', machine: 'pc' };
    const imageDigest = state.image?.digest ?? digest(1);
    switch (kind) {
      case 'deploy':
        return { kind: 'deployed', imageDigest };
      case 'start':
        return { kind: 'started', from: 'image', vmm: { type: 'v86', version: '0.5', accelerator: 'wasm' } };
      case 'pause':
        return { kind: 'paused' };
      case 'unpause':
        return { kind: 'unpaused' };
      case 'stop':
        return { kind: 'stopped' };
      case 'serialise':
        return { kind: 'serialised', hotImage };
      case 'undeploy':
        return { kind: 'undeployed', imageDigest, hotImage: state.power.kind === 'paused' ? hotImage : undefined };
    }
  }

  #happened(
    index: number,
    before: WorkspaceState,
    id: WorkspaceId,
    metadata: EventMetadata,
    events: readonly WorkspaceEvent[],
  ): void {
    let state = before;
    for (const event of events) {
      const { revision, position } = this.#append(`workspace-${id}`, metadata, event);
      state = evolve(state, { event, metadata, revision, position });
    }
    if (state.definition === 'retired') this.#alive.splice(index, 1);
    else this.#alive[index] = state;
  }

  #connect(hostId: HostId): void {
    const vmms = [
      {
        type: 'v86',
        version: '0.5',
        accelerator: 'wasm',
        architectures: ['x86'],
        capabilities: ['pause', 'hot-image'],
      },
    ];
    this.#append<HostEvent>(
      `host-${hostId}`,
      this.#caused({ subject: `CN=${hostId}`, attributes: {}, method: 'host' }),
      {
        type: 'HostConnected',
        data: { hostId, bootId: `boot-${this.#ids}`, capacity: { cpus: 8, memoryMiB: 16_384, diskMiB: 100_000, vmms } },
      },
    );
  }

  #hostTrouble(): void {
    const hostId = hosts[this.#options.choose(hosts.length)] as HostId;
    this.#append<HostEvent>(`host-${hostId}`, this.#caused(somebody), {
      type: 'HostLost',
      data: { hostId, bootId: 'boot', lastHeard: this.#now - 30_000 },
    });
    this.#connect(hostId);
  }

  #foreign(): void {
    const bytes = { data: Buffer.from('no JSON'), metadata: new Uint8Array() };
    this.#record(foreignStream, { type: 'MoneyPaid', contentType: 'binary', ...bytes });
  }

  #append<E extends WorkspaceEvent | HostEvent | ImageEvent>(
    stream: string,
    metadata: EventMetadata,
    event: E,
  ): RecordedEvent {
    return this.#record(stream, encodeEvent(event, metadata));
  }

  #record(stream: string, event: ReturnType<typeof encodeEvent>): RecordedEvent {
    const revision = (this.#revisions.get(stream) ?? -1) + 1;
    this.#revisions.set(stream, revision);
    const position = (this.#log.length + 1) as Position;
    const recorded = { ...event, id: this.#id(), stream, revision, position, created: this.#now };
    this.#log.push(recorded);
    return recorded;
  }

  #caused(principal: Principal, by: string = this.#id()): EventMetadata {
    return { schemaVersion: 1, principal, recordedAt: this.#now, correlationId: by, causationId: by };
  }

  #person(): Principal {
    return people[this.#options.choose(people.length)] ?? somebody;
  }

  /** A UUID, version 7 (RFC 9562 §5.7), whose time is the site's and whose chance is a count. */
  #id(): string {
    this.#ids += 1;
    const time = this.#now.toString(16).padStart(12, '0');
    return `${time.slice(0, 8)}-${time.slice(8)}-7000-8000-${this.#ids.toString(16).padStart(12, '0')}`;
  }
}

/** Choices from a seed (the mulberry32 generator, by Tommy Ettinger, public domain). */
export function seeded(seed: number): Choose {
  let a = seed;
  return (bound) => {
    a = (a + 0x6d2b79f5) | 0;
    let t = Math.imul(a ^ (a >>> 15), 1 | a);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) % bound;
  };
}

/** The same long log in every process: enough to be killed in the middle of. */
export function longLog(): readonly RecordedEvent[] {
  const site = new Site({ choose: seeded(11), workspaces: 50, oddity: 5 });
  while (site.log.length < 20_000) site.step();
  return site.log;
}
