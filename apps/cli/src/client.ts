/**
 * The ledger over HTTP, as `@vw/contracts` tells it. A ledger answers JSON of a known shape, or a problem document; whatever
 * else is found at the address is not a ledger, and is said to be unreachable rather than believed.
 */
import type { CommandAnswer, CommandVerb, EventView, ImageView, Page, Problem } from '@vw/contracts';
import { RefusedFailure, UnreachableFailure } from './failures.js';
import { readMessages } from './messages.js';
import { countdown } from './time.js';

/** For one answer. Uploads and event streams take as long as they take. */
const ANSWER_LIMIT_MS = 30_000;

/** Far above the largest page; without a bound an answer without an end would be kept until memory is full. */
const LONGEST_ANSWER_BYTES = 64 * 1024 * 1024;

/** How the codes of the HTTP parser begin. */
const NOT_HTTP = 'HPE_';

export interface Connection {
  /** Ends in a slash. */
  readonly base: URL;
  /** The caller's distinguished name. */
  readonly subject: string;
  readonly interrupted: AbortSignal;
}

export type Query = { readonly [name: string]: string | number | undefined };

/** What a repository says of an image it has just taken. */
export type AddedImage = Pick<ImageView, 'imageId' | 'name' | 'digest' | 'kind' | 'sizeBytes'> & {
  revision: number;
  position: number;
};

interface Asking {
  readonly query?: Query;
  readonly headers?: Record<string, string>;
  readonly body?: string | Uint8Array<ArrayBuffer> | ReadableStream<Uint8Array>;
  /** Set where a request may be repeated without harm under the same id. */
  readonly commandId?: string;
}

export class Client {
  readonly #connection: Connection;

  constructor(connection: Connection) {
    this.#connection = connection;
  }

  async page<Item>(path: string, query: Query): Promise<Page<Item>> {
    return await this.#json<Page<Item>>((found) => isPage(found, query['cursor']), 'GET', path, { query });
  }

  /** One view; `member` is a name it must have to be believed. */
  async view<View extends object>(member: keyof View & string, path: string, query: Query = {}): Promise<View> {
    return await this.#json<View>(has(member), 'GET', path, { query });
  }

  /** A view in another notation than JSON. */
  async document(path: string, mediaType: string, query: Query): Promise<string> {
    return await this.#ask('GET', path, { query, headers: { accept: mediaType } }, async (response) => {
      if (!mediaTypeOf(response).startsWith(mediaType)) throw await this.#foreign(response);
      return await textOf(response);
    });
  }

  async command(workspaceId: string, verb: CommandVerb, body: object, commandId: string): Promise<CommandAnswer> {
    return await this.#json<CommandAnswer>(
      has('outcome'),
      'POST',
      `v1/workspaces/${encodeURIComponent(workspaceId)}/${verb}`,
      {
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify(body),
        commandId,
      },
    );
  }

  async create(
    description: Uint8Array<ArrayBuffer>,
    mediaType: string,
    query: Query,
    commandId: string,
  ): Promise<CommandAnswer> {
    return await this.#json<CommandAnswer>(has('outcome'), 'POST', 'v1/workspaces', {
      query,
      headers: { 'content-type': mediaType },
      body: description,
      commandId,
    });
  }

  /** Streams an image up; nothing of it is held in memory. */
  async addImage(bytes: AsyncIterable<Uint8Array>, query: Query, commandId: string): Promise<AddedImage> {
    return await this.#json<AddedImage>(has('imageId'), 'POST', 'v1/images', {
      query,
      headers: { 'content-type': 'application/octet-stream' },
      body: ReadableStream.from<Uint8Array>(bytes),
      commandId,
    });
  }

  /** Opens the stream of events after a position. It ends when the connection does; what breaks it is thrown as unreachable. */
  async events(query: Query, after: number): Promise<AsyncIterable<EventView>> {
    const headers = { accept: 'text/event-stream', 'last-event-id': String(after) };
    return await this.#ask('GET', 'v1/events', { query: { ...query, after }, headers }, async (response) => {
      if (!mediaTypeOf(response).startsWith('text/event-stream') || !response.body) throw await this.#foreign(response);
      return this.#eventsOf(response.body);
    });
  }

  async *#eventsOf(body: ReadableStream<Uint8Array>): AsyncGenerator<EventView> {
    try {
      for await (const message of readMessages(body)) yield JSON.parse(message) as EventView;
    } catch (cause) {
      throw this.#unreachable(cause, {});
    }
  }

  async #json<Shape extends object>(
    isShape: (found: object) => boolean,
    method: string,
    path: string,
    asking: Asking,
  ): Promise<Shape> {
    const headers = { accept: 'application/json', ...asking.headers };
    return await this.#ask(method, path, { ...asking, headers }, async (response) => {
      const found = await jsonOf(response);
      if (!isObject(found) || !isShape(found)) throw await this.#foreign(response);
      return found as Shape;
    });
  }

  /** Sends, and has the answer read within the limit. @throws RefusedFailure | UnreachableFailure */
  async #ask<Read>(
    method: string,
    path: string,
    asking: Asking,
    read: (response: Response) => Promise<Read>,
  ): Promise<Read> {
    const { base, subject, interrupted } = this.#connection;
    const streams = asking.body instanceof ReadableStream;
    const limit = countdown(ANSWER_LIMIT_MS);
    if (streams) limit.callOff();
    try {
      const response = await fetch(address(base, path, asking.query), {
        method,
        redirect: 'manual',
        headers: {
          ...asking.headers,
          'vw-subject': headerText(subject),
          ...(asking.commandId && { 'idempotency-key': asking.commandId }),
        },
        signal: AbortSignal.any([interrupted, limit.signal]),
        ...(asking.body !== undefined && { body: asking.body }),
        ...(streams && { duplex: 'half' }),
      });
      if (!response.ok) throw await this.#refusal(response);
      return await read(response);
    } catch (cause) {
      if (cause instanceof RefusedFailure || cause instanceof UnreachableFailure) throw cause;
      throw this.#unreachable(cause, { timedOut: limit.signal.aborted, commandId: asking.commandId });
    } finally {
      limit.callOff();
    }
  }

  async #refusal(response: Response): Promise<RefusedFailure | UnreachableFailure> {
    const problem = (await jsonOf(response)) as Partial<Problem> | undefined;
    if (typeof problem?.reason !== 'string') return await this.#foreign(response);
    return new RefusedFailure({
      type: 'about:blank',
      title: problem.reason,
      status: response.status,
      detail: '',
      ...problem,
    } as Problem);
  }

  async #foreign(response: Response): Promise<UnreachableFailure> {
    if (!response.bodyUsed) await response.body?.cancel();
    const found = `${response.status} ${mediaTypeOf(response) || 'without a media type'}`;
    return new UnreachableFailure(
      `what answers at ${this.#connection.base.href} is not a ledger (${found}); is VW_URL right?`,
    );
  }

  #unreachable(cause: unknown, known: { timedOut?: boolean; commandId?: string }): UnreachableFailure {
    const { href } = this.#connection.base;
    const code = known.timedOut ? 'ETIMEDOUT' : codeOf(cause);
    switch (code) {
      case 'ECONNREFUSED':
        return new UnreachableFailure(
          `nothing listens at ${href} (${code}); start a ledger with npm start, or set VW_URL`,
          {
            cause,
          },
        );
      case 'ENOTFOUND':
      case 'EAI_AGAIN':
        return new UnreachableFailure(`the name in ${href} leads nowhere (${code}); is VW_URL right?`, { cause });
      default: {
        const what = code.startsWith(NOT_HTTP)
          ? 'what listens there does not speak HTTP'
          : 'the connection gave no whole answer';
        const repeat = known.commandId
          ? `; the command may have been taken, and --command-id ${known.commandId} repeats it safely`
          : '';
        return new UnreachableFailure(`${href}: ${what} (${code})${repeat}`, { cause });
      }
    }
  }
}

/** @throws nothing: what cannot be parsed is undefined, since then it is no ledger that speaks. */
async function jsonOf(response: Response): Promise<unknown> {
  if (!/^application\/(problem\+)?json\b/.test(mediaTypeOf(response))) return undefined;
  try {
    return JSON.parse(await textOf(response));
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

/** @throws an error with a code, when there is no end to it */
async function textOf(response: Response): Promise<string> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of response.body ?? []) {
    bytes += chunk.length;
    if (bytes > LONGEST_ANSWER_BYTES) throw Object.assign(new Error('the answer has no end'), { code: 'TOO_LONG' });
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString();
}

const isObject = (found: unknown): found is object => typeof found === 'object' && found !== null;

const has = (member: string) => (found: object) => member in found;

/** A page that leads back to itself would be read for ever. */
function isPage(found: Partial<Page<unknown>>, cursor: Query[string]): boolean {
  const { items, nextCursor } = found;
  return Array.isArray(items) && items.every(isObject) && (nextCursor === undefined || nextCursor !== cursor);
}

/** A header's text in UTF-8, in the one byte a character that HTTP libraries take. */
function headerText(text: string): string {
  return Buffer.from(text, 'utf8').toString('latin1');
}

function mediaTypeOf(response: Response): string {
  return response.headers.get('content-type')?.toLowerCase() ?? '';
}

function address(base: URL, path: string, query: Query = {}): URL {
  const url = new URL(path, base);
  for (const [name, value] of Object.entries(query)) {
    if (value !== undefined) url.searchParams.set(name, String(value));
  }
  return url;
}

/** The innermost code: fetch wraps what the socket said, once or twice. */
function codeOf(error: unknown): string {
  const { code, cause, name, message } = error as { [member: string]: unknown };
  if (cause !== undefined && cause !== null) return codeOf(cause);
  return String(code ?? (name === 'HTTPParserError' ? `${NOT_HTTP}INVALID` : message));
}
