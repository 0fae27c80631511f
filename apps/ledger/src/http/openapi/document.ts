/**
 * The OpenAPI 3.1 document of the ledger: one row a route. A test holds the rows against the routes that the server really has. Response shapes are
 * generated from the types in `libs/contracts`; request shapes from the DTOs' decorators.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { packageRoot } from '@vw/runtime';
import * as commands from '../dto/commands.dto.js';
import * as queries from '../dto/queries.dto.js';
import { dtoProperties, dtoSchema, requiredOf } from './dto-schema.js';

type Dto = new () => object;

interface Route {
  readonly method: 'get' | 'post';
  readonly path: string;
  readonly summary: string;
  readonly query?: Dto;
  readonly body?: Dto | 'description' | 'image';
  /** Status and the shape's name; without a name the answer is plain text or has no fixed shape. */
  readonly answers: Record<number, string>;
}

const command = (verb: string, summary: string, body?: Dto): Route => ({
  method: 'post',
  path: `/v1/workspaces/{id}/${verb}`,
  summary,
  body,
  answers: { 200: 'CommandAnswer', 202: 'CommandAnswer' },
});

const routes: readonly Route[] = [
  {
    method: 'post',
    path: '/v1/workspaces',
    summary: 'Create a workspace from a description in JSON, YAML or XML',
    query: queries.CreateQueryDto,
    body: 'description',
    answers: { 200: 'CommandAnswer', 201: 'CommandAnswer' },
  },
  {
    method: 'get',
    path: '/v1/workspaces',
    summary: 'List workspaces',
    query: queries.ListWorkspacesDto,
    answers: { 200: 'WorkspacePage' },
  },
  {
    method: 'get',
    path: '/v1/workspaces/{id}',
    summary: 'Show a workspace, in JSON or XML',
    query: queries.AfterDto,
    answers: { 200: 'WorkspaceView' },
  },
  {
    method: 'get',
    path: '/v1/workspaces/{id}/history',
    summary: 'Everything that happened to a workspace',
    query: queries.PageDto,
    answers: { 200: 'EventPage' },
  },
  {
    method: 'get',
    path: '/v1/workspaces/{id}/serial',
    summary: 'A piece of the guest’s console output',
    query: queries.SerialDto,
    answers: { 200: 'SerialView' },
  },
  {
    ...command('clone', 'Make a new workspace from this one', commands.CloneDto),
    answers: { 200: 'CommandAnswer', 201: 'CommandAnswer' },
  },
  command('check-out', 'Take the lock', commands.LeaseDto),
  command('check-in', 'Give the lock back'),
  command('renew', 'Hold the lock for longer', commands.LeaseDto),
  command('steal-lock', 'Take the lock from its holder, for a reason', commands.StealLockDto),
  command('refine', 'Describe the workspace anew, or choose its image', commands.RefineDto),
  command('deploy', 'Stage the workspace to a host', commands.DeployDto),
  command('start', 'Boot the guest, or continue it from its hot image', commands.StartDto),
  command('pause', 'Freeze the guest in memory', commands.DeadlineDto),
  command('unpause', 'Let the frozen guest run on', commands.DeadlineDto),
  command('serialise', 'Write the paused guest’s state to a hot image', commands.DeadlineDto),
  command('stop', 'Shut the guest down', commands.StopDto),
  command('undeploy', 'Bring the workspace back from its host, and give the lock back', commands.DeadlineDto),
  command('cancel', 'Ask the host to give up what is under way', commands.ReasonDto),
  command('set-lifetime', 'Say when the workspace expires', commands.SetLifetimeDto),
  command('repair', 'Declare a corrupted workspace sound again', commands.RepairDto),
  command('retire', 'End the workspace', commands.ReasonDto),
  command('override', 'Vouch that no guest is left, where no evidence comes', commands.ReasonDto),
  {
    method: 'get',
    path: '/v1/operations',
    summary: 'Intents and how they ended',
    query: queries.ListOperationsDto,
    answers: { 200: 'OperationPage' },
  },
  {
    method: 'get',
    path: '/v1/operations/{workspaceId}/{requestId}',
    summary: 'One intent',
    query: queries.AfterDto,
    answers: { 200: 'OperationView' },
  },
  { method: 'get', path: '/v1/locks', summary: 'Who holds what', query: queries.PageDto, answers: { 200: 'LockPage' } },
  {
    method: 'get',
    path: '/v1/hosts',
    summary: 'The hosts and what they can run',
    query: queries.AfterDto,
    answers: { 200: 'HostPage' },
  },
  {
    method: 'get',
    path: '/v1/images',
    summary: 'The pool of images',
    query: queries.AfterDto,
    answers: { 200: 'ImagePage' },
  },
  {
    method: 'post',
    path: '/v1/images',
    summary: 'Add an image',
    query: queries.AddImageDto,
    body: 'image',
    answers: { 201: '' },
  },
  {
    method: 'get',
    path: '/v1/events',
    summary: 'The log as server-sent events',
    query: queries.EventsDto,
    answers: { 200: '' },
  },
  { method: 'get', path: '/healthz', summary: 'Is the process alive', answers: { 200: '' } },
  { method: 'get', path: '/readyz', summary: 'Are commands taken', answers: { 200: '', 503: '' } },
  { method: 'get', path: '/metrics', summary: 'Counters for Prometheus', answers: { 200: '' } },
  { method: 'get', path: '/docs', summary: 'This document', answers: { 200: '' } },
];

export interface OpenApiDocument {
  readonly openapi: string;
  readonly info: { readonly title: string; readonly version: string; readonly description: string };
  readonly paths: Record<string, Record<string, { readonly summary: string }>>;
  readonly components: object;
}

export function openApiDocument(): OpenApiDocument {
  const { version } = JSON.parse(readFileSync(join(packageRoot(), 'package.json'), 'utf8')) as { version: string };
  const paths: Record<string, Record<string, { summary: string }>> = {};
  for (const route of routes) (paths[route.path] ??= {})[route.method] = operation(route);
  return {
    openapi: '3.1.0',
    info: {
      title: 'workspace-ledger',
      version,
      description:
        'Virtual workspaces: created, checked out, deployed, paused, moved and retired, and every step on record.',
    },
    paths,
    components: { schemas: responseSchemas() },
  };
}

function operation({ method, path, summary, query, body, answers }: Route): {
  readonly summary: string;
  readonly [key: string]: unknown;
} {
  const inPath = [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => ({
    name,
    in: 'path',
    required: true,
    schema: { type: 'string' },
  }));
  const required = query === undefined ? [] : requiredOf(query);
  const inQuery = Object.entries(query === undefined ? {} : dtoProperties(query)).map(([name, schema]) => ({
    name,
    in: 'query',
    required: required.includes(name),
    schema,
  }));
  const headers =
    method === 'post' ? [header('VW-Subject', 'Who asks'), header('Idempotency-Key', 'The command’s id')] : [];
  const responses = Object.entries(answers).map(([status, shape]) => [status, response(status, shape)]);
  return {
    summary,
    parameters: [...inPath, ...inQuery, ...headers],
    ...(body === undefined ? {} : { requestBody: requestBody(body) }),
    responses: {
      ...Object.fromEntries(responses),
      default: { ...response('problem', 'Problem', 'application/problem+json') },
    },
  };
}

const header = (name: string, description: string) => ({
  name,
  in: 'header',
  description,
  required: false,
  schema: { type: 'string' },
});

function response(status: string, shape: string, type = 'application/json'): object {
  const description = status === 'problem' ? 'A problem (RFC 9457)' : `Status ${status}`;
  return shape === ''
    ? { description }
    : { description, content: { [type]: { schema: { $ref: `#/components/schemas/${shape}` } } } };
}

function requestBody(body: NonNullable<Route['body']>): object {
  if (body === 'image') return { required: true, content: { 'application/octet-stream': {} } };
  if (body !== 'description') return { content: { 'application/json': { schema: dtoSchema(body) } } };
  const text = { schema: { type: 'string' } };
  return {
    required: true,
    content: { 'application/json': { schema: { type: 'object' } }, 'application/yaml': text, 'application/xml': text },
  };
}

/** The generated schemas of `libs/contracts/src/http.ts`, their references pointed at this document. */
function responseSchemas(): Record<string, unknown> {
  const file = join(packageRoot(), 'schemas', 'http.schema.json');
  const text = readFileSync(file, 'utf8').replaceAll('#/definitions/', '#/components/schemas/');
  return (JSON.parse(text) as { definitions: Record<string, unknown> }).definitions;
}
