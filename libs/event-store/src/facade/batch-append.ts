/**
 * Streams.BatchAppend: many appends on one call, each told apart by its correlation id, each perhaps in several fragments.
 *
 * What must stay true:
 *  1. Exactly one answer to every correlation id that began with options, whatever becomes of it; none to any other, because
 *     clients know no answer that they have not asked for. Only the end of the call itself leaves some without.
 *  2. Appends go to the log in the order in which their last fragments came. Answers go out as they are known.
 *  3. A passed deadline is judged before size, and size before the last fragment.
 *  4. What is unfinished is bounded per connection, in count and bytes; it is dropped when its deadline passes or the call ends.
 *  5. A client that does not read its answers, or is faster than the disk, is not read from until there is room again.
 */
import type { handleBidiStreamingCall, ServerDuplexStream } from '@grpc/grpc-js';
import type { Expectation, WriteResult } from '../log.js';
import { appendBytes, maxAppendBytes } from '../port.js';
import type { NewEvent } from '../port.js';
import { empty, shared, streamIdentifier, streams, textOf, uuidOf } from '../protocol/index.js';
import { Allowances, heldBytesOf, PATIENCE_MS } from './allowance.js';
import type { Allowance, Measure } from './allowance.js';
import type { Caller } from './access.js';
import { remainingMs } from './deadline.js';
import { batchExpectationOf } from './expectations.js';
import { named, proposedEvent, targetOf } from './proposals.js';
import { appendTooLarge, batchStatusOf, deadlinePassed, invalidArgument, refusalOf, shuttingDown } from './refusals.js';
import type { Refusal } from './refusals.js';
import type { Room } from './room.js';

const UNFINISHED: Measure = { appends: 256, bytes: 16 * 1024 * 1024, overallBytes: 128 * 1024 * 1024 };

/** Appends that the log has and has not answered, of one call; their bytes as they cost while they wait. */
const UNANSWERED_APPENDS = 2048;
const UNANSWERED_BYTES = 16 * 1024 * 1024;

type Call = ServerDuplexStream<streams.BatchAppendReq, streams.BatchAppendResp>;

export function batchAppend(room: Room): handleBidiStreamingCall<streams.BatchAppendReq, streams.BatchAppendResp> {
  const allowances = new Allowances(UNFINISHED);
  return (call) => {
    const refuse = (refusal: Refusal): void => void call.emit('error', refusal);
    if (room.closing.aborted) return refuse(shuttingDown());
    try {
      new Conversation(room, call, room.access.callerOf(call.metadata), allowances).begin();
    } catch (error) {
      refuse(refusalOf(error, room.logger));
    }
  };
}

/** An append whose last fragment has not come. */
interface Unfinished {
  readonly correlationId: shared.UUID | undefined;
  readonly stream: string;
  readonly expected: Expectation;
  readonly events: NewEvent[];
  /** As the limit of an append counts. */
  sizeBytes: number;
  /** As the connection's allowance counts; undefined while nothing was taken from it, because the first fragment is the last. */
  heldBytes: number | undefined;
  /** Ends the wait for the deadline, where there is one. */
  settled: AbortController | undefined;
}

class Conversation {
  private readonly unfinished = new Map<string, Unfinished>();
  private readonly allowance: Allowance;
  private readonly peer: string;
  private unanswered = 0;
  private unansweredBytes = 0;
  private state: 'open' | 'half-closed' | 'ended' = 'open';

  constructor(
    private readonly room: Room,
    private readonly call: Call,
    private readonly caller: Caller,
    private readonly allowances: Allowances,
  ) {
    this.peer = call.getPeer();
    this.allowance = allowances.enter(this.peer);
  }

  begin(): void {
    const { call, room } = this;
    const close = (): void => this.end(shuttingDown());
    room.closing.addEventListener('abort', close, { once: true });
    call.on('data', (request: streams.BatchAppendReq) => this.take(request));
    call.on('drain', () => this.breathe());
    call.on('end', () => {
      this.dropUnfinished();
      if (this.state === 'open') this.state = 'half-closed';
      this.endWhenAnswered();
    });
    call.on('cancelled', () => this.end());
    call.on('error', () => this.end());
    call.once('close', () => {
      room.closing.removeEventListener('abort', close);
      this.end();
      this.allowances.leave(this.peer);
    });
  }

  private take(request: streams.BatchAppendReq): void {
    if (this.state !== 'open') return;
    const options = request.getOptions();
    let key: string;
    try {
      key = named('correlation_id', () => uuidOf(request.getCorrelationId()));
    } catch (error) {
      if (options) this.answerRefusal(request.getCorrelationId(), '', error);
      return;
    }
    const known = this.unfinished.get(key);
    if (!known && !options) return;
    let append: Unfinished | undefined = known;
    try {
      append ??= this.accept(request);
      this.add(append, request);
      if (request.getIsFinal()) this.write(key, append);
      else if (!known) this.await(key, append, request);
    } catch (error) {
      this.settle(key, append);
      this.answerRefusal(request.getCorrelationId(), append?.stream ?? rawName(options), error);
    }
  }

  private accept(request: streams.BatchAppendReq): Unfinished {
    const options = request.getOptions();
    if (!options) throw invalidArgument('options are not set');
    const stream = targetOf(options);
    this.room.access.require(this.caller, 'write', stream);
    if (remainingMs(request, this.room.clock.now()) <= 0) throw deadlinePassed();
    return {
      correlationId: request.getCorrelationId(),
      stream,
      expected: batchExpectationOf(options),
      events: [],
      sizeBytes: 0,
      heldBytes: undefined,
      settled: undefined,
    };
  }

  private add(append: Unfinished, request: streams.BatchAppendReq): void {
    const events = request.getProposedMessagesList().map(proposedEvent);
    const sizeBytes = appendBytes(events);
    if (append.sizeBytes + sizeBytes > maxAppendBytes) throw appendTooLarge();
    if (!request.getIsFinal()) this.hold(append, heldBytesOf(events));
    append.sizeBytes += sizeBytes;
    for (const event of events) append.events.push(event);
  }

  private hold(append: Unfinished, bytes: number): void {
    this.allowance.take(append.heldBytes === undefined ? 1 : 0, bytes);
    append.heldBytes = (append.heldBytes ?? 0) + bytes;
  }

  private await(key: string, append: Unfinished, request: streams.BatchAppendReq): void {
    this.unfinished.set(key, append);
    const ms = Math.min(remainingMs(request, this.room.clock.now()), PATIENCE_MS);
    append.settled = new AbortController();
    void this.room.timers.sleep(ms, append.settled.signal).then(() => {
      if (this.unfinished.get(key) !== append) return;
      this.settle(key, append);
      this.answerRefusal(append.correlationId, append.stream, deadlinePassed());
    });
  }

  private write(key: string, append: Unfinished): void {
    this.settle(key, append);
    const { correlationId, stream, expected, events } = append;
    const bytes = heldBytesOf(events);
    this.unanswered += 1;
    this.unansweredBytes += bytes;
    const answered = (): void => {
      this.unanswered -= 1;
      this.unansweredBytes -= bytes;
      this.breathe();
      this.endWhenAnswered();
    };
    this.room.log.write(stream, expected, events).then(
      (result) => {
        this.answer(correlationId, stream, (response) => response.setSuccess(success(result)));
        answered();
      },
      (error: unknown) => {
        this.answerRefusal(correlationId, stream, error);
        answered();
      },
    );
    this.breathe();
  }

  /** Forgets what was kept of an unfinished append. Safe where nothing was. */
  private settle(key: string, append: Unfinished | undefined): void {
    if (!append) return;
    if (this.unfinished.get(key) === append) this.unfinished.delete(key);
    if (append.heldBytes !== undefined) this.allowance.giveBack(append.heldBytes);
    append.heldBytes = undefined;
    append.settled?.abort();
  }

  private dropUnfinished(): void {
    for (const [key, append] of this.unfinished) this.settle(key, append);
  }

  private answerRefusal(correlationId: shared.UUID | undefined, stream: string, error: unknown): void {
    this.answer(correlationId, stream, (response) => response.setError(batchStatusOf(error, stream, this.room.logger)));
  }

  private answer(
    correlationId: shared.UUID | undefined,
    stream: string,
    fill: (response: streams.BatchAppendResp) => void,
  ): void {
    if (this.state === 'ended') return;
    const response = new streams.BatchAppendResp();
    response.setCorrelationId(correlationId);
    response.setStreamIdentifier(streamIdentifier(stream));
    fill(response);
    if (!this.call.write(response)) this.breathe();
  }

  /** Reads on, or not: by what is unanswered, and by what the client has not read. */
  private breathe(): void {
    if (this.state === 'ended') return;
    const full =
      this.unanswered >= UNANSWERED_APPENDS || this.unansweredBytes >= UNANSWERED_BYTES || this.call.writableNeedDrain;
    if (full !== this.call.isPaused()) void (full ? this.call.pause() : this.call.resume());
  }

  private endWhenAnswered(): void {
    if (this.state === 'half-closed' && this.unanswered === 0) this.end();
  }

  /** Ends the call, well or with a refusal; what the log has taken stays taken. */
  private end(refusal?: Refusal): void {
    if (this.state === 'ended') return;
    this.state = 'ended';
    this.dropUnfinished();
    if (refusal) this.call.emit('error', refusal);
    else this.call.end();
  }
}

function success({ revision, position }: WriteResult): streams.BatchAppendResp.Success {
  const place = new shared.AllStreamPosition();
  const text = textOf(position);
  place.setCommitPosition(text);
  place.setPreparePosition(text);
  const result = new streams.BatchAppendResp.Success();
  result.setPosition(place);
  if (revision === 'no-stream') result.setNoStream(new empty.Empty());
  else result.setCurrentRevision(textOf(revision));
  return result;
}

/** The name as it came, for the answer to an append that is refused because of it. */
function rawName(options: streams.BatchAppendReq.Options | undefined): string {
  return Buffer.from(options?.getStreamIdentifier()?.getStreamName_asU8() ?? []).toString();
}
