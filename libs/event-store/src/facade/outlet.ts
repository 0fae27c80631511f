/**
 * The way out to one reader. It never holds more for a reader that does not read than `BUDGET_BYTES` and one event: a writer
 * asks after each message whether to wait, and the wait is over when all of it has gone to the socket, or the call has ended.
 */
import type { ServerWritableStream } from '@grpc/grpc-js';
import type { streams } from '../protocol/index.js';
import { shuttingDown } from './refusals.js';
import type { Refusal } from './refusals.js';

export const BUDGET_BYTES = 64 * 1024;

/** What a message costs beside the bytes of its event. */
const MESSAGE_OVERHEAD_BYTES = 256;

type Call = ServerWritableStream<streams.ReadReq, streams.ReadResp>;

export class Outlet {
  private readonly ended = new AbortController();
  private pendingBytes = 0;

  constructor(
    private readonly call: Call,
    private readonly closing: AbortSignal,
  ) {
    call.once('cancelled', () => this.shut());
    call.once('close', () => this.shut());
    closing.addEventListener('abort', this.close, { once: true });
  }

  get open(): boolean {
    return !this.ended.signal.aborted;
  }

  /** Aborts when the reader has gone, or is sent away. */
  get signal(): AbortSignal {
    return this.ended.signal;
  }

  /** @returns what to wait for before the next message, or undefined */
  write(message: streams.ReadResp, bytes = 0): Promise<void> | undefined {
    if (!this.open) return undefined;
    this.pendingBytes += bytes + MESSAGE_OVERHEAD_BYTES;
    if (this.pendingBytes < BUDGET_BYTES) {
      this.call.write(message);
      return undefined;
    }
    this.pendingBytes = 0;
    return new Promise((resolve) => {
      const done = (): void => {
        this.ended.signal.removeEventListener('abort', done);
        resolve();
      };
      this.ended.signal.addEventListener('abort', done, { once: true });
      this.call.write(message, done);
    });
  }

  end(): void {
    if (!this.open) return;
    this.shut();
    this.call.end();
  }

  refuse(refusal: Refusal): void {
    if (!this.open) return;
    this.shut();
    this.call.emit('error', refusal);
  }

  private readonly close = (): void => this.refuse(shuttingDown());

  private shut(): void {
    this.closing.removeEventListener('abort', this.close);
    // With a reason of its own an abort makes no exception, and no trace of the stack for it.
    this.ended.abort('ended');
  }
}
