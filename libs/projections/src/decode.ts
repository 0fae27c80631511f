/**
 * The one place where events become bytes and bytes become events. In the log an event has its domain type, and data and
 * metadata as JSON in UTF-8.
 *
 * A stream of a category that is none of ours is left alone: others may write to the same store. Within our categories nothing
 * is stepped over: a type or a shape newer than this program stops the reader, loudly.
 */
import type {
  EventMetadata,
  HostEvent,
  HostId,
  ImageEvent,
  ImageId,
  Recorded,
  WorkspaceEvent,
  WorkspaceId,
} from '@vw/domain';
import type { NewEvent, Position, RecordedEvent } from '@vw/event-store';
import { UndecodableEvent } from './errors.js';

interface Decoded<Category extends string, Id, E> extends Recorded<E> {
  readonly category: Category;
  /** The aggregate's id: the stream's name without its category. */
  readonly id: Id;
  readonly stream: string;
  readonly eventId: string;
  readonly position: Position;
}

export type DecodedWorkspaceEvent = Decoded<'workspace', WorkspaceId, WorkspaceEvent>;
export type DecodedHostEvent = Decoded<'host', HostId, HostEvent>;
export type DecodedImageEvent = Decoded<'image', ImageId, ImageEvent>;

/** An event of this project. */
export type KnownEvent = DecodedWorkspaceEvent | DecodedHostEvent | DecodedImageEvent;

/** An event of a stream that is none of ours. */
export interface ForeignEvent {
  readonly category: 'foreign';
  readonly stream: string;
  readonly revision: number;
  readonly position: Position;
}

export type DecodedEvent = KnownEvent | ForeignEvent;

/** The newest shape of any event that this program writes. */
const SCHEMA_VERSION = 1;

/** Records and not lists, so that the compiler misses a type that is not here. */
const workspaceTypes: Record<WorkspaceEvent['type'], true> = {
  WorkspaceCreated: true,
  WorkspaceRefined: true,
  LifetimeSet: true,
  WorkspaceExpired: true,
  WorkspaceRetired: true,
  WorkspaceCheckedOut: true,
  LeaseRenewed: true,
  LockStolen: true,
  WorkspaceCheckedIn: true,
  DeployRequested: true,
  WorkspaceDeployed: true,
  DeployFailed: true,
  UndeployRequested: true,
  WorkspaceUndeployed: true,
  UndeployFailed: true,
  StartRequested: true,
  WorkspaceStarted: true,
  StartFailed: true,
  PauseRequested: true,
  WorkspacePaused: true,
  PauseFailed: true,
  UnpauseRequested: true,
  WorkspaceUnpaused: true,
  UnpauseFailed: true,
  SerialiseRequested: true,
  HotImageCaptured: true,
  SerialiseFailed: true,
  StopRequested: true,
  WorkspaceStopped: true,
  StopFailed: true,
  CancelRequested: true,
  WorkspaceCorrupted: true,
  WorkspaceRepaired: true,
  DriftDetected: true,
  PlacementBecameUnknown: true,
  OperatorOverrode: true,
};
const hostTypes: Record<HostEvent['type'], true> = { HostConnected: true, HostLost: true, HostReturned: true };
const imageTypes: Record<ImageEvent['type'], true> = { ImageAdded: true, ImageCorrupted: true, ImageRetired: true };

const categories = {
  workspace: new Set(Object.keys(workspaceTypes)),
  host: new Set(Object.keys(hostTypes)),
  image: new Set(Object.keys(imageTypes)),
};

/** What a stream's name says. */
interface StreamName {
  readonly category: keyof typeof categories | 'foreign';
  readonly id: string;
  readonly stream: string;
}

/** How many names a decoder remembers before it forgets them all. */
const NAMES = 20_000;

/**
 * Decodes the events of a log in turn, and remembers what neighbours share: a stream its name, so that whoever looks it up by name
 * compares no text, and the events of one append their metadata.
 */
export class LogDecoder {
  readonly #names = new Map<string, StreamName>();
  #last: { readonly stream: string; readonly bytes: Uint8Array; readonly metadata: EventMetadata } | undefined;

  /**
   * @throws UndecodableEvent when the stream is one of ours and the event is of an unknown type, of a newer shape, or no JSON
   */
  decode(recorded: RecordedEvent): DecodedEvent {
    const { revision, position, type } = recorded;
    const { category, id, stream } = this.#nameOf(recorded.stream);
    if (category === 'foreign') return { category, stream, revision, position };
    if (!categories[category].has(type)) throw new UndecodableEvent(recorded, `no ${category} event has this type`);
    const metadata = this.#metadataOf(recorded, stream);
    const event = { type, data: parse(recorded, recorded.data) };
    return { category, id, stream, eventId: recorded.id, event, metadata, revision, position } as KnownEvent;
  }

  #nameOf(stream: string): StreamName {
    const known = this.#names.get(stream);
    if (known !== undefined) return known;
    const category = categoryOf(stream);
    const name = { category, id: stream.slice(category.length + 1), stream };
    if (this.#names.size >= NAMES) this.#names.clear();
    this.#names.set(stream, name);
    return name;
  }

  #metadataOf(recorded: RecordedEvent, stream: string): EventMetadata {
    const bytes = recorded.metadata;
    if (this.#last?.stream === stream && same(bytes, this.#last.bytes)) return this.#last.metadata;
    const metadata = parse<EventMetadata>(recorded, bytes);
    if (!(metadata.schemaVersion <= SCHEMA_VERSION)) {
      throw new UndecodableEvent(
        recorded,
        `its shape has version ${metadata.schemaVersion}, this program knows ${SCHEMA_VERSION}`,
      );
    }
    this.#last = { stream, bytes, metadata };
    return metadata;
  }
}

/**
 * Decodes one event by itself.
 * @throws UndecodableEvent when the stream is one of ours and the event is of an unknown type, of a newer shape, or no JSON
 */
export function decodeEvent(recorded: RecordedEvent): DecodedEvent {
  return new LogDecoder().decode(recorded);
}

/** What a store is to keep of an event; the caller adds its id. */
export function encodeEvent(
  event: WorkspaceEvent | HostEvent | ImageEvent,
  metadata: EventMetadata,
): Pick<NewEvent, 'type' | 'contentType' | 'data' | 'metadata'> {
  return {
    type: event.type,
    contentType: 'json',
    data: Buffer.from(JSON.stringify(event.data)),
    metadata: Buffer.from(JSON.stringify(metadata)),
  };
}

function categoryOf(stream: string): keyof typeof categories | 'foreign' {
  if (stream.startsWith('workspace-')) return 'workspace';
  if (stream.startsWith('host-')) return 'host';
  if (stream.startsWith('image-')) return 'image';
  return 'foreign';
}

function same(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && Buffer.compare(a, b) === 0;
}

function parse<T>(recorded: RecordedEvent, bytes: Uint8Array): T {
  const buffer = Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  try {
    return JSON.parse(buffer.toString('utf8')) as T;
  } catch (cause) {
    throw new UndecodableEvent(recorded, 'its bytes are no JSON', { cause });
  }
}
