/** Every error leaves as a problem; what is our own fault says nothing of our insides, and is logged whole. */
import { type ArgumentsHost, Catch, type ExceptionFilter, HttpException } from '@nestjs/common';
import type { Problem } from '@vw/contracts';
import { AppendTooLarge, EventCorrupted, StoreUnavailable, StreamTombstoned } from '@vw/event-store';
import { ImageRepositoryUnavailable } from '@vw/images';
import { UnknownCursor, ViewsUnavailable } from '@vw/projections';
import type { Logger } from '@vw/runtime';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { problem, ProblemException } from './problem.js';

@Catch()
export class ProblemFilter implements ExceptionFilter {
  /** @param storeElsewhere whether an append whose answer was lost may have been recorded */
  constructor(
    private readonly logger: Logger,
    private readonly storeElsewhere: boolean,
  ) {}

  catch(error: unknown, host: ArgumentsHost): void {
    const http = host.switchToHttp();
    this.answer(error, http.getRequest<FastifyRequest>(), http.getResponse<FastifyReply>());
  }

  /** Also for what the router refuses before Nest hears of it: an address that cannot be decoded, or is too long. */
  answer(error: unknown, request: FastifyRequest, reply: FastifyReply): void {
    const said = { ...this.problemOf(error, request).problem, instance: request.url };
    // A problem that a route itself gives, also a 5xx, is an answer; whoever can ask for it must not fill the log with it.
    if (said.status >= 500 && !(error instanceof ProblemException))
      this.logger.error({ err: error, url: request.url }, 'a request failed');
    if (reply.sent || reply.raw.headersSent) {
      reply.raw.destroy();
      return;
    }
    void reply
      .status(said.status)
      .header('content-type', 'application/problem+json')
      .send(JSON.stringify(said satisfies Problem));
  }

  private problemOf(error: unknown, request: FastifyRequest): ProblemException {
    if (error instanceof ProblemException) return error;
    if (error instanceof StoreUnavailable || error instanceof ImageRepositoryUnavailable)
      return this.storeProblem(error, request);
    if (error instanceof AppendTooLarge) return problem(413, 'TOO_LARGE', error.message, {}, { cause: error });
    if (error instanceof StreamTombstoned) return problem(410, 'GONE', error.message, {}, { cause: error });
    if (error instanceof EventCorrupted) return problem(500, 'LOG_DAMAGED', error.message, {}, { cause: error });
    if (error instanceof ViewsUnavailable) {
      return problem(503, 'VIEWS_UNAVAILABLE', causes(error).join(': '), {}, { cause: error });
    }
    if (error instanceof UnknownCursor) return problem(422, 'INVALID', 'The cursor is not one of this query');
    const status = error instanceof HttpException ? error.getStatus() : statusCodeOf(error);
    if (status === 404) return problem(404, 'NOT_FOUND', 'There is nothing at this address');
    if (status === 413) return problem(413, 'TOO_LARGE', 'The request is larger than 1 MiB');
    if (status === 415) return problem(415, 'UNSUPPORTED_TYPE', (error as Error).message);
    if (status !== undefined && status < 500) return problem(status, 'BAD_REQUEST', (error as Error).message);
    return problem(500, 'INTERNAL', 'The ledger failed; its log says why', {}, { cause: error });
  }

  /** What became of a request that the store did not serve, as far as that is known. */
  private storeProblem(error: Error, { method, headers }: FastifyRequest): ProblemException {
    const because = causes(error).join(': ');
    const about = (detail: string) => problem(503, 'STORE_UNAVAILABLE', detail, {}, { cause: error });
    if (method === 'GET') return about(`The store cannot be read now: ${because}`);
    const mayBeRecorded = error instanceof StoreUnavailable && this.storeElsewhere && !error.nothingAppended;
    if (!mayBeRecorded) return about(`Nothing was recorded: ${because}`);
    const key = headers['idempotency-key'];
    const remedy =
      typeof key === 'string'
        ? `sent again with Idempotency-Key ${key} it takes effect once`
        : 'look before you send it again';
    return about(`It is not known whether this was recorded; ${remedy}: ${because}`);
  }
}

/** What Fastify puts on the errors that it throws before a route is reached. */
function statusCodeOf(error: unknown): number | undefined {
  const status = (error as { statusCode?: unknown } | null)?.statusCode;
  return typeof status === 'number' ? status : undefined;
}

function causes(error: Error): string[] {
  const { message, cause } = error;
  if (!(cause instanceof Error)) return [message];
  const [first = '', ...rest] = causes(cause);
  return message.endsWith(first) ? [message, ...rest] : [message, first, ...rest];
}
