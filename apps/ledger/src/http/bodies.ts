/**
 * What a request may carry, route by route: an image as a stream, a description as its author's bytes, everything else one JSON object. Whatever a route does not
 * want is refused before anything looks into it: a validator that was handed a stream would walk from it into the socket and the server behind.
 */
import { isUtf8 } from 'node:buffer';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { problem, type ProblemException } from './problem.js';

const imageType = 'application/octet-stream';
const descriptionTypes = [
  'application/yaml',
  'application/x-yaml',
  'text/yaml',
  'application/xml',
  'text/xml',
  'text/plain',
];

/** Deeper than any body of ours, and shallow enough for everything that walks a value by calling itself. */
const deepest = 100;

/** The server takes these bodies and no others. */
export function acceptBodies(server: FastifyInstance): void {
  server.removeAllContentTypeParsers();
  server.addContentTypeParser(imageType, (request, payload, done) => {
    if (routeOf(request) === '/v1/images') done(null, payload);
    else done(unwanted(request), undefined);
  });
  server.addContentTypeParser(descriptionTypes, { parseAs: 'buffer' }, (request, body: Buffer, done) => {
    if (routeOf(request) === '/v1/workspaces') done(null, body);
    else done(unwanted(request), undefined);
  });
  server.addContentTypeParser('application/json', { parseAs: 'buffer' }, (request, body: Buffer, done) => {
    // A description is judged as its author wrote it, duplicate keys and all.
    if (routeOf(request) === '/v1/workspaces') return done(null, body);
    try {
      done(null, body.length === 0 ? {} : plainObject(body));
    } catch (error) {
      done(error as ProblemException, undefined);
    }
  });
}

const routeOf = (request: FastifyRequest): string | undefined => request.routeOptions.url;

function unwanted(request: FastifyRequest): ProblemException {
  const type = request.headers['content-type'];
  return problem(415, 'UNSUPPORTED_TYPE', `${request.method} ${routeOf(request) ?? ''} takes JSON, not ${type}`);
}

/** @throws ProblemException 400 when the bytes are no JSON, 422 when they are JSON that nothing here can hold */
function plainObject(body: Buffer): object {
  if (!isUtf8(body)) throw problem(400, 'BAD_REQUEST', 'The body is not valid UTF-8');
  let value: unknown;
  try {
    value = JSON.parse(body.toString());
  } catch (error) {
    throw problem(400, 'BAD_REQUEST', `The body is not JSON: ${(error as Error).message}`, {}, { cause: error });
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw problem(422, 'INVALID', 'The body is one JSON object');
  }
  const fault = faultOf(value, 1);
  if (fault !== undefined) throw problem(422, 'INVALID', fault);
  return value;
}

/** Why a parsed value cannot be taken: neither a digest nor UTF-8 knows half a surrogate pair, and `__proto__` would be assigned, not copied. */
function faultOf(value: unknown, depth: number): string | undefined {
  if (typeof value === 'string') return isWellFormed(value) ? undefined : 'A text has half a surrogate pair in it';
  if (typeof value !== 'object' || value === null) return undefined;
  if (depth > deepest) return `Values are nested more than ${deepest} deep`;
  for (const [key, member] of Object.entries(value)) {
    if (key === '__proto__') return 'The key __proto__ is not taken';
    const fault = faultOf(key, depth) ?? faultOf(member, depth + 1);
    if (fault !== undefined) return fault;
  }
  return undefined;
}

/** A pair matches as one character under `u`, so what is left of category Cs stands alone. */
const isWellFormed = (text: string): boolean => !/\p{Cs}/u.test(text);
