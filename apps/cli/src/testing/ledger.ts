/**
 * A small HTTP server that speaks the ledger's contract as a test tells it to. Nothing is behind it: what it answers is what the
 * test put in, and what it was asked is kept for the test to look at.
 */
import { once } from 'node:events';
import { createServer, type IncomingHttpHeaders, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { CommandAnswer, OperationView, Problem, WorkspaceView } from '@vw/contracts';

interface Asked {
  readonly method: string;
  readonly path: string;
  readonly query: URLSearchParams;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
}

export type Route = (asked: Asked, response: ServerResponse) => void;

export interface StandIn extends AsyncDisposable {
  readonly url: string;
  /** Every request, the latest last. */
  readonly asked: Asked[];
  /** `GET /v1/hosts`; a later route for the same replaces the earlier. */
  on(request: string, route: Route): void;
  /** The workspaces it lists and shows. */
  workspaces: WorkspaceView[];
  close(): Promise<void>;
}

export async function standIn(): Promise<StandIn> {
  const routes = new Map<string, Route>();
  const asked: Asked[] = [];
  const server = createServer(async (request, response) => {
    const url = new URL(request.url ?? '/', 'http://ledger');
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const one: Asked = {
      method: request.method ?? '',
      path: url.pathname,
      query: url.searchParams,
      headers: request.headers,
      body: Buffer.concat(chunks),
    };
    asked.push(one);
    const route = routes.get(`${one.method} ${one.path}`) ?? standard(one);
    route(one, response);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const close = async () => {
    if (!server.listening) return;
    server.close();
    server.closeAllConnections();
    await once(server, 'close');
  };
  const self: StandIn = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    asked,
    workspaces: [],
    on: (request, route) => routes.set(request, route),
    close,
    [Symbol.asyncDispose]: close,
  };

  /** Lists and shows the workspaces; takes every command. */
  function standard({ method, path, query, headers }: Asked): Route {
    const [, , collection, id = '', verb] = path.split('/');
    if (collection !== 'workspaces')
      return refuses({ status: 404, reason: 'NOT_FOUND', detail: 'There is nothing at this address' });
    if (method === 'POST') {
      return answers(
        verb === undefined ? 201 : 202,
        answerTo(id || 'w-new', { commandId: String(headers['idempotency-key']) }),
      );
    }
    const name = query.get('name');
    const definition = query.get('definition') ?? 'active';
    const listed = (view: WorkspaceView) => view.definition === definition && (name === null || view.name === name);
    const found = self.workspaces.filter((view) => (id === '' ? listed(view) : view.workspaceId === id));
    if (id === '') return answers(200, { items: found, position: 7 });
    return found[0]
      ? answers(200, found[0])
      : refuses({ status: 404, reason: 'NOT_FOUND', detail: `There is no workspace ${id}`, asked: { workspace: id } });
  }

  return self;
}

export function answers(status: number, document: unknown): Route {
  return (_asked, response) => {
    response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(document));
  };
}

export function refuses(problem: Pick<Problem, 'status' | 'reason' | 'detail'> & Partial<Problem>): Route {
  const whole: Problem = { type: `urn:test:${problem.reason}`, title: problem.reason, ...problem };
  return (_asked, response) => {
    response.writeHead(whole.status, { 'content-type': 'application/problem+json' }).end(JSON.stringify(whole));
  };
}

export function answerTo(workspaceId: string, more: Partial<CommandAnswer> = {}): CommandAnswer {
  return { outcome: 'accepted', workspaceId, commandId: 'c1', revision: 3, position: 41, ...more };
}

export function workspace(more: Partial<WorkspaceView> = {}): WorkspaceView {
  const workspaceId = more.workspaceId ?? 'w1';
  return {
    workspaceId,
    reference: { uri: `http://ledger/v1/workspaces/${workspaceId}`, owner: 'CN=ann' },
    name: 'blast',
    owner: 'CN=ann',
    state: 'shutdown',
    definition: 'active',
    expired: false,
    description: { name: 'blast', category: 'virtual-machine' },
    image: { name: 'tiny', digest: `sha256:${'ab'.repeat(32)}`, kind: 'kernel' },
    clonedFrom: null,
    lock: { kind: 'free', lastEpoch: 0 },
    placement: { kind: 'none' },
    power: { kind: 'shutdown' },
    integrity: { kind: 'ok' },
    intent: { kind: 'none' },
    createdAt: '2020-01-01T00:00:00.000Z',
    updatedAt: '2020-01-01T00:00:00.000Z',
    expiresAt: null,
    revision: 0,
    position: 1,
    ...more,
  };
}

export function operation(more: Partial<OperationView> = {}): OperationView {
  return {
    workspaceId: 'w1',
    requestId: 'r1',
    kind: 'deploy',
    hostId: 'local',
    epoch: 1,
    status: 'open',
    requestedAt: '2020-01-01T00:00:00.000Z',
    deadline: '2020-01-01T00:10:00.000Z',
    cancelRequested: false,
    finishedAt: null,
    outcome: null,
    failure: null,
    ...more,
  };
}
