/** What hostile bodies get: one sentence and a 4xx, before anything walks them. */
import { silentLogger } from '@vw/runtime';
import type { FastifyInstance } from 'fastify';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Ledger } from '../ledger.js';
import { createHttpServer } from './server.js';

let app: Awaited<ReturnType<typeof createHttpServer>>;
let server: FastifyInstance;

beforeAll(async () => {
  app = await createHttpServer({ ports: { logger: silentLogger } } as unknown as Ledger);
  server = app.getHttpAdapter().getInstance();
});

afterAll(() => app.close());

async function posted(url: string, type: string, payload: string | Buffer) {
  const headers = { host: '127.0.0.1', 'content-type': type };
  const { statusCode, body } = await server.inject({ method: 'POST', url, headers, payload });
  return { status: statusCode, reason: (JSON.parse(body) as { reason: string }).reason };
}

describe('a command’s body', () => {
  const commands = ['cancel', 'check-out', 'check-in', 'clone', 'deploy', 'refine'].map(
    (verb) => `/v1/workspaces/w1/${verb}`,
  );

  it.each(['application/octet-stream', 'application/yaml', 'text/xml', 'text/plain'])('is not %s', async (type) => {
    for (const url of commands) {
      expect(await posted(url, type, '{}'), url).toEqual({ status: 415, reason: 'UNSUPPORTED_TYPE' });
    }
  });

  it.each([101, 2_000, 50_000, 250_000])('is not nested %i deep', async (depth) => {
    const nested = `${'['.repeat(depth)}${']'.repeat(depth)}`;
    for (const url of commands) {
      expect(await posted(url, 'application/json', `{"reason":${nested}}`), url).toEqual({
        status: 422,
        reason: 'INVALID',
      });
    }
  });

  it.each([
    '[]',
    'null',
    '1',
    '"reason"',
    '[{"reason":"x"}]',
    '{"reason":"\\ud800"}',
    '{"\\udc00":1}',
    '{"__proto__":{}}',
  ])('is not %s', async (body) => {
    for (const url of commands) {
      expect(await posted(url, 'application/json', body), url).toEqual({ status: 422, reason: 'INVALID' });
    }
  });

  it.each(['{', '{"a":1}}', Buffer.from([0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d])])(
    'is well-formed',
    async (body) => {
      expect(await posted('/v1/workspaces/w1/cancel', 'application/json', body)).toEqual({
        status: 400,
        reason: 'BAD_REQUEST',
      });
    },
  );

  it.each([
    ['stop', '{"mode":null}'],
    ['stop', '{"graceSeconds":null}'],
    ['repair', '{"reason":"x","discardHotImage":null}'],
    ['set-lifetime', '{"seconds":null}'],
    ['clone', '{"name":null}'],
    ['deploy', '{"host":null}'],
    ['refine', '{"description":null}'],
  ])('of %s does not say %s', async (verb, body) => {
    expect(await posted(`/v1/workspaces/w1/${verb}`, 'application/json', body)).toEqual({
      status: 422,
      reason: 'INVALID',
    });
  });
});
