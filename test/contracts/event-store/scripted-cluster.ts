/**
 * A cluster of KurrentDB that fails on cue: one small log in memory, and nodes that serve it over gRPC. A test says of each
 * append, read and subscription what becomes of it; whatever it says nothing of is served as the real server would.
 */
import { randomUUID } from 'node:crypto';
import features from '@eventstore/db-client/generated/serverfeatures_pb.js';
import featureServices from '@eventstore/db-client/generated/serverfeatures_grpc_pb.js';
import shared from '@eventstore/db-client/generated/shared_pb.js';
import status from '@eventstore/db-client/generated/status_pb.js';
import streams from '@eventstore/db-client/generated/streams_pb.js';
import streamServices from '@eventstore/db-client/generated/streams_grpc_pb.js';
import type { ServerDuplexStream, ServerReadableStream, ServerWritableStream, sendUnaryData } from '@grpc/grpc-js';
import { Metadata, Server, ServerCredentials, status as codes } from '@grpc/grpc-js';
import any from 'google-protobuf/google/protobuf/any_pb.js';
import empty from 'google-protobuf/google/protobuf/empty_pb.js';
import { Door } from '../../support/door.js';

const { ReadResp, BatchAppendResp, AppendResp } = streams;
type Proposed = InstanceType<typeof streams.BatchAppendReq.ProposedMessage>;

interface Kept {
  readonly stream: string;
  readonly revision: number;
  readonly position: number;
  readonly id: string;
  readonly proposed: Pick<Proposed, 'getMetadataMap' | 'getData_asU8' | 'getCustomMetadata_asU8'>;
}

/**
 * What becomes of an append: the connection may break before or after it took effect, or when another writer was quicker; or it is
 * told this or that.
 */
export type AppendFate =
  | 'served'
  | 'lost before'
  | 'lost after'
  | 'overtaken'
  | 'timed out before'
  | 'timed out before, and told late'
  | 'no leader known'
  | 'silence'
  | 'gibberish'
  | 'forgotten position';

/** What becomes of a read or a subscription: so many messages, and then the connection breaks, or the server ends it. */
export interface ReadFate {
  readonly messages: number;
  readonly ending: 'lost' | 'too slow' | 'ended';
}

/** Everything that the nodes of a cluster have in common: the log, and the script. */
export class ScriptedCluster {
  readonly events: Kept[] = [];
  /** One for each append that arrives, in the order of arrival; then all are served. */
  readonly appendFates: AppendFate[] = [];
  /** The same for reads and subscriptions. */
  readonly readFates: ReadFate[] = [];
  readonly subscriptionFates: ReadFate[] = [];
  /** Whether nodes list BatchAppend, and whether they say that a subscription has caught up. */
  batches = true;
  saysCaughtUp = true;
  /** Whether a subscription begins with the event at the very place it is to begin after. */
  repeatsTheLast = false;
  /** How many appends have arrived, repeated ones too. */
  appends = 0;
  /** Where each subscription began. */
  readonly subscribedAfter: number[] = [];
  leader: ScriptedNode | undefined;
  readonly #nodes: ScriptedNode[] = [];
  readonly #followers = new Set<() => void>();

  async node(): Promise<ScriptedNode> {
    const node = await ScriptedNode.start(this);
    this.#nodes.push(node);
    this.leader ??= node;
    return node;
  }

  stop(): void {
    for (const node of this.#nodes) node.stop();
  }

  /** By KurrentDB's rule for a numeric expectation. @returns the last event, or the stream's actual revision */
  append(
    stream: string,
    expected: number,
    ids: readonly string[],
    proposed: readonly Kept['proposed'][],
  ): Kept | number {
    const ofStream = this.events.filter((event) => event.stream === stream);
    const head = ofStream.length - 1;
    if (expected < head && ids.every((id, index) => ofStream[expected + 1 + index]?.id === id)) {
      return ofStream[expected + ids.length] as Kept;
    }
    if (expected !== head) return head;
    for (const [index, message] of proposed.entries()) {
      const position = this.events.length * 100 + 100;
      this.events.push({ stream, revision: head + 1 + index, position, id: ids[index] ?? '', proposed: message });
    }
    for (const wake of this.#followers) wake();
    return this.events.at(-1) as Kept;
  }

  /** Calls back after every append until it is told to stop. */
  follow(wake: () => void): () => void {
    this.#followers.add(wake);
    return () => this.#followers.delete(wake);
  }
}

export class ScriptedNode {
  readonly #cluster: ScriptedCluster;
  readonly #server = new Server();
  #door: Door | undefined;
  /** An answer that is given behind the next one. */
  #late: (() => void) | undefined;

  private constructor(cluster: ScriptedCluster) {
    this.#cluster = cluster;
  }

  static async start(cluster: ScriptedCluster): Promise<ScriptedNode> {
    const node = new ScriptedNode(cluster);
    node.#serve();
    const inner = await new Promise<number>((bound, failed) => {
      node.#server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, port) =>
        error ? failed(error) : bound(port),
      );
    });
    node.#door = await Door.before(inner);
    return node;
  }

  /** Where clients come in. */
  get door(): Door {
    if (!this.#door) throw new Error('the node has not started');
    return this.#door;
  }

  get location(): string {
    return `esdb://127.0.0.1:${this.door.port}?tls=false`;
  }

  stop(): void {
    this.#door?.remove();
    this.#server.forceShutdown();
  }

  #serve(): void {
    this.#server.addService(featureServices.ServerFeaturesService, {
      getSupportedMethods: (_call: unknown, answer: sendUnaryData<features.SupportedMethods>) => {
        const methods = ['read', 'append', ...(this.#cluster.batches ? ['batchappend'] : [])].map((name) => {
          const method = new features.SupportedMethod();
          method.setServiceName('event_store.client.streams.Streams');
          method.setMethodName(name);
          return method;
        });
        const supported = new features.SupportedMethods();
        supported.setEventStoreServerVersion('23.10.8');
        supported.setMethodsList(methods);
        answer(null, supported);
      },
    });
    this.#server.addService(streamServices.StreamsService, {
      read: (call: ServerWritableStream<streams.ReadReq, streams.ReadResp>) => this.#read(call),
      append: (
        call: ServerReadableStream<streams.AppendReq, streams.AppendResp>,
        answer: sendUnaryData<streams.AppendResp>,
      ) => this.#append(call, answer),
      batchAppend: (call: ServerDuplexStream<streams.BatchAppendReq, streams.BatchAppendResp>) =>
        this.#batchAppend(call),
      delete: () => undefined,
      tombstone: () => undefined,
    });
  }

  /** Where the leader is, for a caller that has asked another node; nothing from the leader itself. */
  #notLeader(): Error | undefined {
    const { leader } = this.#cluster;
    if (leader === this || leader === undefined) return undefined;
    const metadata = new Metadata();
    metadata.set('exception', 'not-leader');
    metadata.set('leader-endpoint-host', '127.0.0.1');
    metadata.set('leader-endpoint-port', String(leader.door.port));
    return failure(codes.NOT_FOUND, 'Leader info available', metadata);
  }

  #batchAppend(call: ServerDuplexStream<streams.BatchAppendReq, streams.BatchAppendResp>): void {
    const parts = new Map<string, { options: streams.BatchAppendReq.Options; proposed: Proposed[] }>();
    call.on('error', () => undefined);
    call.on('data', (request: streams.BatchAppendReq) => {
      const elsewhere = this.#notLeader();
      if (elsewhere) {
        call.emit('error', elsewhere);
        return;
      }
      const id = request.getCorrelationId()?.getString() ?? '';
      const options = request.getOptions();
      if (options) parts.set(id, { options, proposed: [] });
      const batch = parts.get(id);
      batch?.proposed.push(...request.getProposedMessagesList());
      if (!batch || !request.getIsFinal()) return;
      const stream = Buffer.from(batch.options.getStreamIdentifier()?.getStreamName_asU8() ?? []).toString();
      const expected = batch.options.hasNoStream() ? -1 : Number(batch.options.getStreamPosition());
      const response = new BatchAppendResp();
      const fate = this.#cluster.appendFates[this.#cluster.appends];
      if (fate !== 'gibberish') response.setCorrelationId(request.getCorrelationId());
      this.#settle(stream, expected, batch.proposed, {
        done: (last, positionKnown) => {
          const success = new BatchAppendResp.Success();
          success.setCurrentRevision(String(last.revision));
          const position = new shared.AllStreamPosition();
          const told = positionKnown ? String(last.position) : '18446744073709551615';
          position.setCommitPosition(told);
          position.setPreparePosition(told);
          success.setPosition(position);
          response.setSuccess(success);
          call.write(response);
        },
        wrong: (actual) => {
          const wrong = new shared.WrongExpectedVersion();
          if (actual < 0) wrong.setCurrentNoStream(new empty.Empty());
          else wrong.setCurrentStreamRevision(String(actual));
          response.setError(statusOf(6, 'WrongExpectedVersion', wrong));
          call.write(response);
        },
        unknown: (message) => {
          response.setError(
            message === 'Timeout'
              ? statusOf(4, 'Timeout', new shared.Timeout())
              : statusOf(0, '', new empty.Empty(), message),
          );
          call.write(response);
        },
      });
    });
    call.on('end', () => call.end());
  }

  #append(
    call: ServerReadableStream<streams.AppendReq, streams.AppendResp>,
    answer: sendUnaryData<streams.AppendResp>,
  ): void {
    let options: streams.AppendReq.Options | undefined;
    const proposed: streams.AppendReq.ProposedMessage[] = [];
    call.on('error', () => undefined);
    call.on('data', (request: streams.AppendReq) => {
      options ??= request.getOptions();
      const message = request.getProposedMessage();
      if (message) proposed.push(message);
    });
    call.on('end', () => {
      const elsewhere = this.#notLeader();
      if (elsewhere) {
        answer(elsewhere, null);
        return;
      }
      const stream = Buffer.from(options?.getStreamIdentifier()?.getStreamName_asU8() ?? []).toString();
      const response = new AppendResp();
      this.#settle(stream, options?.hasNoStream() ? -1 : Number(options?.getRevision()), proposed, {
        done: (last) => {
          const success = new AppendResp.Success();
          success.setCurrentRevision(String(last.revision));
          const position = new AppendResp.Position();
          position.setCommitPosition(String(last.position));
          position.setPreparePosition(String(last.position));
          success.setPosition(position);
          response.setSuccess(success);
          answer(null, response);
        },
        wrong: (actual) => {
          const wrong = new AppendResp.WrongExpectedVersion();
          if (actual < 0) wrong.setCurrentNoStream(new shared.Empty());
          else wrong.setCurrentRevision(String(actual));
          response.setWrongExpectedVersion(wrong);
          answer(null, response);
        },
        unknown: (message) => answer(failure(codes.ABORTED, message), null),
      });
    });
  }

  #settle(
    stream: string,
    expected: number,
    proposed: readonly (Proposed | streams.AppendReq.ProposedMessage)[],
    say: {
      done(last: Kept, positionKnown: boolean): void;
      wrong(actual: number): void;
      unknown(message: string): void;
    },
  ): void {
    const fate = this.#cluster.appendFates[this.#cluster.appends] ?? 'served';
    this.#cluster.appends += 1;
    if (fate === 'silence') return;
    if (fate === 'lost before') return this.door.slam();
    if (fate === 'timed out before') return say.unknown('Timeout');
    if (fate === 'no leader known') return say.unknown('No leader info available in response');
    if (fate === 'timed out before, and told late') {
      this.#late = () => say.unknown('Timeout');
      return;
    }
    const ids = proposed.map((message) => message.getId()?.getString() ?? '');
    if (fate === 'overtaken') {
      this.#cluster.append(stream, expected, [randomUUID()], proposed.slice(0, 1));
      return this.door.slam();
    }
    const outcome = this.#cluster.append(stream, expected, ids, proposed);
    if (fate === 'lost after') return this.door.slam();
    if (typeof outcome === 'number') say.wrong(outcome);
    else say.done(outcome, fate !== 'forgotten position');
    this.#late?.();
    this.#late = undefined;
  }

  #read(call: ServerWritableStream<streams.ReadReq, streams.ReadResp>): void {
    const options = call.request.getOptions();
    const elsewhere = this.#notLeader();
    if (elsewhere || !options) {
      call.emit('error', elsewhere ?? failure(codes.INVALID_ARGUMENT, 'no options'));
      return;
    }
    const subscribes = options.hasSubscription();
    const fates = subscribes ? this.#cluster.subscriptionFates : this.#cluster.readFates;
    const fate = fates.shift();
    let sent = 0;
    let over = false;
    const write = (response: streams.ReadResp): void => {
      if (over) return;
      if (fate && sent === fate.messages) {
        over = true;
        if (fate.ending === 'lost') this.door.slam();
        else if (fate.ending === 'ended') call.end();
        else call.emit('error', failure(codes.ABORTED, 'Operation timed out: Consumer too slow'));
        return;
      }
      sent += 1;
      call.write(response);
    };
    if (!subscribes) {
      for (const event of this.#wanted(options)) write(eventResponse(event));
      if (!over) call.end();
      return;
    }
    let next = Number(options.getAll()?.getPosition()?.getCommitPosition() ?? 0);
    this.#cluster.subscribedAfter.push(next);
    if (this.#cluster.repeatsTheLast) next -= 1;
    write(confirmation());
    const pump = (): void => {
      for (const event of this.#cluster.events.filter(({ position }) => position > next)) {
        next = event.position;
        if (!event.stream.startsWith('$')) write(eventResponse(event));
        else write(checkpoint(event.position));
      }
    };
    pump();
    if (this.#cluster.saysCaughtUp) write(caughtUp());
    const stop = this.#cluster.follow(pump);
    call.on('cancelled', stop);
    call.on('close', stop);
    call.on('error', stop);
  }

  #wanted(options: streams.ReadReq.Options): Kept[] {
    const backwards = options.getReadDirection() === streams.ReadReq.Options.ReadDirection.BACKWARDS;
    const stream = options.getStream();
    const all = options.getAll();
    const count = Number(options.getCount());
    const inOrder = backwards ? this.#cluster.events.toReversed() : this.#cluster.events;
    if (stream) {
      const name = Buffer.from(stream.getStreamIdentifier()?.getStreamName_asU8() ?? []).toString();
      const from = stream.hasRevision() ? Number(stream.getRevision()) : backwards ? Number.POSITIVE_INFINITY : 0;
      return inOrder
        .filter((event) => event.stream === name && (backwards ? event.revision <= from : event.revision >= from))
        .slice(0, count);
    }
    const place = Number(all?.getPosition()?.getCommitPosition() ?? (backwards ? Number.POSITIVE_INFINITY : 0));
    return inOrder
      .filter(({ position }) => (backwards ? position < place : position >= place))
      .filter((event) => !options.hasFilter() || !event.stream.startsWith('$'))
      .slice(0, count);
  }
}

function failure(code: codes, details: string, metadata = new Metadata()): Error & { code: codes; metadata: Metadata } {
  return Object.assign(new Error(details), { code, details, metadata });
}

function statusOf(
  code: number,
  type: string,
  detail: { serializeBinary(): Uint8Array },
  message = type,
): status.Status {
  const packed = new any.Any();
  packed.pack(detail.serializeBinary(), type === '' ? 'google.protobuf.Empty' : `event_store.client.${type}`);
  const told = new status.Status();
  told.setCode(code);
  told.setMessage(message);
  told.setDetails(packed);
  return told;
}

function eventResponse(event: Kept): streams.ReadResp {
  const recorded = new ReadResp.ReadEvent.RecordedEvent();
  const id = new shared.UUID();
  id.setString(event.id);
  recorded.setId(id);
  const identifier = new shared.StreamIdentifier();
  identifier.setStreamName(Buffer.from(event.stream));
  recorded.setStreamIdentifier(identifier);
  recorded.setStreamRevision(String(event.revision));
  recorded.setCommitPosition(String(event.position));
  recorded.setPreparePosition(String(event.position));
  for (const [key, value] of event.proposed.getMetadataMap().toArray()) recorded.getMetadataMap().set(key, value);
  recorded.getMetadataMap().set('created', '17953849571230000');
  recorded.setData(event.proposed.getData_asU8());
  recorded.setCustomMetadata(event.proposed.getCustomMetadata_asU8());
  const read = new ReadResp.ReadEvent();
  read.setEvent(recorded);
  read.setCommitPosition(String(event.position));
  const response = new ReadResp();
  response.setEvent(read);
  return response;
}

function confirmation(): streams.ReadResp {
  const response = new ReadResp();
  const confirmed = new ReadResp.SubscriptionConfirmation();
  confirmed.setSubscriptionId('scripted');
  response.setConfirmation(confirmed);
  return response;
}

function checkpoint(position: number): streams.ReadResp {
  const response = new ReadResp();
  const reached = new ReadResp.Checkpoint();
  reached.setCommitPosition(String(position));
  reached.setPreparePosition(String(position));
  response.setCheckpoint(reached);
  return response;
}

function caughtUp(): streams.ReadResp {
  const response = new ReadResp();
  response.setCaughtUp(new ReadResp.CaughtUp());
  return response;
}
