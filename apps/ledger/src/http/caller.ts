/**
 * Who calls, and whether the caller may call at all. Until authentication is configured the ledger listens on loopback only, and a caller says who it is; the
 * record shows that the name was only asserted. A page in a browser is no such caller: its requests carry an origin, or a host name that is not ours.
 */
import { createParamDecorator, type ExecutionContext } from '@nestjs/common';
import { type CommandId, isId, type Principal } from '@vw/domain';
import type { Ids } from '@vw/runtime';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { problem } from './problem.js';

export const anonymous = 'CN=anonymous';

export function principalOf(request: FastifyRequest): Principal {
  const header = request.headers['vw-subject'];
  const text = Array.isArray(header) ? header[0] : header;
  if (text === undefined) return { subject: anonymous, attributes: {}, method: 'asserted-on-loopback' };
  const subject = Buffer.from(text, 'latin1').toString('utf8').trim();
  // oxlint-disable-next-line no-control-regex -- control characters are what is refused here
  if (subject.length === 0 || subject.length > 512 || /[\u0000-\u001f\u007f]/.test(subject)) {
    throw problem(422, 'INVALID', 'VW-Subject has 1 to 512 printable characters', {
      problems: [{ code: 'subject', message: 'not a subject', where: { field: 'VW-Subject' } }],
    });
  }
  return { subject, attributes: {}, method: 'asserted-on-loopback' };
}

export const Caller = createParamDecorator((_: unknown, context: ExecutionContext): Principal =>
  principalOf(context.switchToHttp().getRequest<FastifyRequest>()),
);

/** `Idempotency-Key` is the command id; a request without one gets a fresh id, and cannot be repeated safely. */
export function commandIdOf(request: FastifyRequest, ids: Ids): CommandId {
  const header = request.headers['idempotency-key'];
  if (header === undefined) return ids.next() as CommandId;
  if (typeof header !== 'string' || !isId(header)) {
    throw problem(422, 'INVALID', 'Idempotency-Key has 1 to 64 of A-Z a-z 0-9 _ -', {
      problems: [{ code: 'idempotency-key', message: 'not a command id', where: { field: 'Idempotency-Key' } }],
    });
  }
  return header as CommandId;
}

const loopbackNames = new Set(['127.0.0.1', 'localhost', '[::1]']);

/** Refuses what a web page may send to a loopback port: foreign origins, and names that were made to resolve to us (DNS rebinding). */
export function refuseForeignPages(server: FastifyInstance): void {
  server.addHook('onRequest', async (request) => {
    const host = (request.headers.host ?? '').replace(/:\d+$/, '');
    if (!loopbackNames.has(host))
      throw problem(421, 'MISDIRECTED', `This ledger answers to 127.0.0.1, localhost and [::1], not to ${host}`);
    const { origin } = request.headers;
    if (origin !== undefined && !loopbackNames.has(origin.replace(/^https?:\/\//, '').replace(/:\d+$/, ''))) {
      throw problem(403, 'FOREIGN_ORIGIN', `Pages of ${origin} may not use this ledger`);
    }
  });
}
