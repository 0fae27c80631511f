/** Calls without the official client's help: its generated classes filled by hand, and bytes that are none of them. */
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import gossipServices from '@eventstore/db-client/generated/gossip_grpc_pb.js';
import type { ClusterInfo } from '@eventstore/db-client/generated/gossip_pb.js';
import featuresServices from '@eventstore/db-client/generated/serverfeatures_grpc_pb.js';
import type { SupportedMethods } from '@eventstore/db-client/generated/serverfeatures_pb.js';
import shared from '@eventstore/db-client/generated/shared_pb.js';
import streamsServices from '@eventstore/db-client/generated/streams_grpc_pb.js';
import type { AppendResp, BatchAppendResp, ReadResp } from '@eventstore/db-client/generated/streams_pb.js';
import streams from '@eventstore/db-client/generated/streams_pb.js';
import { type CallOptions, Client, type ServiceError } from '@grpc/grpc-js';
import empty from 'google-protobuf/google/protobuf/empty_pb.js';
import { type Endpoint, endpointOf, type Server } from './server.js';

export type StreamsClient = InstanceType<typeof streamsServices.StreamsClient>;

export interface Raw {
  readonly endpoint: Endpoint;
  /** The generated client, on a connection of its own. */
  readonly streams: StreamsClient;
  close(): void;
}

export function rawClientOf(server: Pick<Server, 'connectionString'>): Raw {
  const endpoint = endpointOf(server);
  // Else all clients of one target would share one connection.
  const ownConnection = { 'grpc.use_local_subchannel_pool': 1 };
  const client = new streamsServices.StreamsClient(endpoint.target, endpoint.channel, ownConnection);
  return { endpoint, streams: client, close: () => client.close() };
}

export function streamIdentifier(name: string | Uint8Array): shared.StreamIdentifier {
  const identifier = new shared.StreamIdentifier();
  identifier.setStreamName(typeof name === 'string' ? Buffer.from(name) : name);
  return identifier;
}

export function uuidText(text: string = randomUUID()): shared.UUID {
  const id = new shared.UUID();
  id.setString(text);
  return id;
}

/** The same id as two signed numbers of 64 bits, the protocol's other form. */
export function uuidStructured(text: string): shared.UUID {
  const hex = text.replaceAll('-', '');
  const half = (from: number) => BigInt.asIntN(64, BigInt(`0x${hex.slice(from, from + 16)}`)).toString();
  const structured = new shared.UUID.Structured();
  structured.setMostSignificantBits(half(0));
  structured.setLeastSignificantBits(half(16));
  const id = new shared.UUID();
  id.setStructured(structured);
  return id;
}

export interface Proposal {
  readonly id?: shared.UUID | undefined;
  readonly map?: Readonly<Record<string, string>>;
  readonly data?: Uint8Array;
}

const described = { type: 'Raw', 'content-type': 'application/octet-stream' };

function propose<M extends streams.AppendReq.ProposedMessage | streams.BatchAppendReq.ProposedMessage>(
  message: M,
  { id, map = described, data = Buffer.from('raw') }: Proposal,
): M {
  message.setId(id ?? uuidText());
  for (const [key, value] of Object.entries(map)) message.getMetadataMap().set(key, value);
  message.setData(data);
  return message;
}

/** A u64 as the protocol's JavaScript has it. */
export type U64 = `${bigint}`;

export type RawExpectation = 'any' | 'no-stream' | 'stream-exists' | U64;

/** The messages of one Append: its options, then each event. */
export function appendMessages(
  stream: string | Uint8Array,
  expected: RawExpectation | undefined,
  proposals: readonly Proposal[],
): streams.AppendReq[] {
  const options = new streams.AppendReq.Options();
  options.setStreamIdentifier(streamIdentifier(stream));
  if (expected === 'any') options.setAny(new shared.Empty());
  else if (expected === 'no-stream') options.setNoStream(new shared.Empty());
  else if (expected === 'stream-exists') options.setStreamExists(new shared.Empty());
  else if (expected !== undefined) options.setRevision(expected);
  const head = new streams.AppendReq();
  head.setOptions(options);
  return [
    head,
    ...proposals.map((proposal) => {
      const request = new streams.AppendReq();
      request.setProposedMessage(propose(new streams.AppendReq.ProposedMessage(), proposal));
      return request;
    }),
  ];
}

/** @throws ServiceError */
export async function append(
  raw: Raw,
  messages: readonly streams.AppendReq[],
  options: CallOptions = {},
): Promise<AppendResp> {
  return new Promise((resolve, reject) => {
    const call = raw.streams.append(raw.endpoint.metadata, options, (error, answer) =>
      error ? reject(error) : resolve(answer),
    );
    for (const message of messages) call.write(message);
    call.end();
  });
}

export interface Fragment {
  readonly correlation: shared.UUID;
  /** Options come on the first fragment only. */
  readonly begins?: {
    readonly stream: string | Uint8Array;
    readonly expected?: RawExpectation;
    readonly deadline?: streams.BatchAppendReq.Options['setDeadline'] extends (value?: infer T) => unknown ? T : never;
  };
  readonly events?: readonly Proposal[];
  readonly final?: boolean;
}

export function fragment({ correlation, begins, events = [], final = false }: Fragment): streams.BatchAppendReq {
  const request = new streams.BatchAppendReq();
  request.setCorrelationId(correlation);
  if (begins) {
    const options = new streams.BatchAppendReq.Options();
    options.setStreamIdentifier(streamIdentifier(begins.stream));
    const { expected = 'any' } = begins;
    // Of these the client's typings have its own Empty; what goes over the wire is google's, and both are nothing.
    const nothing = new empty.Empty() as never;
    if (expected === 'any') options.setAny(nothing);
    else if (expected === 'no-stream') options.setNoStream(nothing);
    else if (expected === 'stream-exists') options.setStreamExists(nothing);
    else options.setStreamPosition(expected);
    if (begins.deadline) options.setDeadline(begins.deadline);
    request.setOptions(options);
  }
  for (const event of events) request.addProposedMessages(propose(new streams.BatchAppendReq.ProposedMessage(), event));
  request.setIsFinal(final);
  return request;
}

/** One BatchAppend call, kept open. */
export interface BatchCall {
  readonly answers: readonly BatchAppendResp[];
  send(fragment: Fragment): void;
  /** Resolves once so many answers are here. @throws ServiceError when the call ended before */
  answered(count: number): Promise<readonly BatchAppendResp[]>;
  /** Says that no more is sent, and waits for the server to end the call. */
  end(): Promise<void>;
  cancel(): void;
}

export function batchCall(raw: Raw): BatchCall {
  const call = raw.streams.batchAppend(raw.endpoint.metadata);
  const answers: BatchAppendResp[] = [];
  let failure: ServiceError | undefined;
  let over = false;
  call.on('data', (answer: BatchAppendResp) => {
    answers.push(answer);
    call.emit('moved');
  });
  call.on('error', (error: ServiceError) => {
    failure = error;
    call.emit('moved');
  });
  call.on('end', () => {
    over = true;
    call.emit('moved');
  });
  const moved = async (enough: () => boolean): Promise<void> => {
    while (!enough()) {
      if (failure) throw failure;
      if (over) throw new Error(`the server ended the call after ${answers.length} answers`);
      await once(call, 'moved');
    }
  };
  return {
    answers,
    send: (given) => void call.write(fragment(given)),
    async answered(count) {
      await moved(() => answers.length >= count);
      return answers;
    },
    async end() {
      call.end();
      await moved(() => over);
    },
    cancel: () => call.cancel(),
  };
}

export interface ReadWish {
  /** A stream's name; the whole log unless given. */
  readonly stream?: string | Uint8Array;
  /** A revision, or a position (commit and prepare). */
  readonly from?: 'start' | 'end' | U64;
  readonly backwards?: boolean;
  /** At most so many events; a subscription unless given. */
  readonly count?: U64;
  readonly uuids?: 'string' | 'structured' | 'unsaid';
  readonly filter?: {
    readonly on: 'type' | 'stream';
    readonly regex?: string;
    readonly prefixes?: string[];
    readonly window?: number;
    readonly interval?: number;
  };
}

export function readRequest({
  stream,
  from = 'start',
  backwards,
  count,
  uuids = 'string',
  filter,
}: ReadWish): streams.ReadReq {
  const options = new streams.ReadReq.Options();
  if (stream === undefined) {
    const all = new streams.ReadReq.Options.AllOptions();
    if (from === 'start') all.setStart(new shared.Empty());
    else if (from === 'end') all.setEnd(new shared.Empty());
    else {
      const position = new streams.ReadReq.Options.Position();
      position.setCommitPosition(from);
      position.setPreparePosition(from);
      all.setPosition(position);
    }
    options.setAll(all);
  } else {
    const wish = new streams.ReadReq.Options.StreamOptions();
    wish.setStreamIdentifier(streamIdentifier(stream));
    if (from === 'start') wish.setStart(new shared.Empty());
    else if (from === 'end') wish.setEnd(new shared.Empty());
    else wish.setRevision(from);
    options.setStream(wish);
  }
  options.setReadDirection(backwards === true ? 1 : 0);
  if (count === undefined) options.setSubscription(new streams.ReadReq.Options.SubscriptionOptions());
  else options.setCount(count);
  if (filter) {
    const expression = new streams.ReadReq.Options.FilterOptions.Expression();
    if (filter.regex !== undefined) expression.setRegex(filter.regex);
    if (filter.prefixes !== undefined) expression.setPrefixList(filter.prefixes);
    const wish = new streams.ReadReq.Options.FilterOptions();
    if (filter.on === 'type') wish.setEventType(expression);
    else wish.setStreamIdentifier(expression);
    if (filter.window === undefined) wish.setCount(new shared.Empty());
    else wish.setMax(filter.window);
    wish.setCheckpointintervalmultiplier(filter.interval ?? 1);
    options.setFilter(wish);
  } else options.setNoFilter(new shared.Empty());
  if (uuids !== 'unsaid') {
    const form = new streams.ReadReq.Options.UUIDOption();
    if (uuids === 'string') form.setString(new shared.Empty());
    else form.setStructured(new shared.Empty());
    options.setUuidOption(form);
  }
  const request = new streams.ReadReq();
  request.setOptions(options);
  return request;
}

/** Everything a read gives until it ends. @throws ServiceError */
export async function read(
  raw: Raw,
  request: streams.ReadReq | ReadWish,
  options: CallOptions = {},
): Promise<ReadResp[]> {
  const call = raw.streams.read(
    'getOptions' in request ? request : readRequest(request),
    raw.endpoint.metadata,
    options,
  );
  const answers: ReadResp[] = [];
  for await (const answer of call) answers.push(answer as ReadResp);
  return answers;
}

export async function gossip({ endpoint }: Raw): Promise<ClusterInfo> {
  const client = new gossipServices.GossipClient(endpoint.target, endpoint.channel);
  return new Promise<ClusterInfo>((resolve, reject) => {
    client.read(new shared.Empty(), endpoint.metadata, (error, answer) => (error ? reject(error) : resolve(answer)));
  }).finally(() => client.close());
}

export async function supportedMethods({ endpoint }: Raw): Promise<SupportedMethods> {
  const client = new featuresServices.ServerFeaturesClient(endpoint.target, endpoint.channel);
  return new Promise<SupportedMethods>((resolve, reject) => {
    client.getSupportedMethods(new shared.Empty(), endpoint.metadata, (error, answer) =>
      error ? reject(error) : resolve(answer),
    );
  }).finally(() => client.close());
}

const asIs = (bytes: Buffer): Buffer => bytes;

/**
 * Bytes as the messages of a call of any path; the answer's bytes come back untouched. Every kind of call is this one on the
 * wire: messages there, messages back, a status. @throws ServiceError
 */
export async function callWithBytes(
  raw: Raw,
  path: string,
  messages: readonly Uint8Array[],
  options: CallOptions = {},
): Promise<Buffer[]> {
  const client = new Client(raw.endpoint.target, raw.endpoint.channel);
  try {
    const call = client.makeBidiStreamRequest(path, asIs, asIs, raw.endpoint.metadata, options);
    const answers: Buffer[] = [];
    for (const message of messages) call.write(Buffer.from(message));
    call.end();
    for await (const answer of call) answers.push(answer as Buffer);
    return answers;
  } finally {
    client.close();
  }
}
