/** `/v1/workspaces`: the factory and the repository over HTTP. */
import { Body, Controller, Get, Headers, HttpCode, Inject, Param, Post, Query, Req, Res } from '@nestjs/common';
import { CommandBus } from '@nestjs/cqrs';
import type { CommandAnswer, CommandVerb, EventView, Page, SerialView, WorkspaceView } from '@vw/contracts';
import { type CommandId, isId, type Principal, type WorkspaceDescription, type WorkspaceId } from '@vw/domain';
import { parseDescription } from '@vw/descriptions';
import { decodeEvent } from '@vw/projections';
import { nameBasedId, parseInstant } from '@vw/runtime';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { CommandBodies, CommandRequest } from '../../commands/request.js';
import type { Ledger } from '../../ledger.js';
import { Caller, commandIdOf } from '../caller.js';
import { decodeCursor, encodeCursor } from '../cursor.js';
import {
  CloneDto,
  DeadlineDto,
  DeployDto,
  LeaseDto,
  ReasonDto,
  RefineDto,
  RepairDto,
  SetLifetimeDto,
  StartDto,
  StealLockDto,
  StopDto,
} from '../dto/commands.dto.js';
import { AfterDto, CreateQueryDto, ListWorkspacesDto, PageDto, SerialDto } from '../dto/queries.dto.js';
import { notFound, problem, refusalProblem } from '../problem.js';
import { LEDGER, seen } from '../reading.js';
import { eventView, referenceOf, workspaceView } from '../render/views.js';
import { answerXml, workspaceXml } from '../render/xml.js';
import { ExecuteCommand } from './execute.js';

/** What a command's own code needs of its request. */
interface Call {
  readonly id: string;
  readonly request: FastifyRequest;
  readonly reply: FastifyReply;
  readonly principal: Principal;
}

const defaultPage = 100;

@Controller('v1/workspaces')
export class WorkspacesController {
  constructor(
    @Inject(LEDGER) private readonly ledger: Ledger,
    private readonly bus: CommandBus,
  ) {}

  @Post()
  async create(
    @Req() request: FastifyRequest,
    @Res() reply: FastifyReply,
    @Query() query: CreateQueryDto,
    @Headers('content-type') contentType: string | undefined,
    @Headers('accept') accept: string | undefined,
    @Caller() principal: Principal,
  ): Promise<void> {
    const { description, notices } = described(request.body, contentType, query.filename);
    const commandId = commandIdOf(request, this.ledger.ports.ids);
    const workspaceId = newWorkspaceId(commandId);
    const body = { description, image: query.image };
    const answer = await this.answer({ verb: 'create', workspaceId, body, commandId, principal });
    const created = { ...answer, reference: this.reference(request, workspaceId, principal), notices };
    await this.sendCreated(reply, created, accept);
  }

  @Get()
  async list(@Query() query: ListWorkspacesDto, @Req() request: FastifyRequest): Promise<Page<WorkspaceView>> {
    await seen(this.ledger, query.after);
    const { views } = this.ledger.ports;
    const { state, definition, owner, holder, host, name, limit = defaultPage, cursor } = query;
    const filter = { state, definition, owner, holder, hostId: host, name };
    const { items, next } = views.workspaces({ ...filter, limit, after: decodeCursor(filter, cursor) });
    return {
      items: items.map((row) => workspaceView(baseUri(request), row.state, row.updatedAt)),
      nextCursor: next === undefined ? undefined : encodeCursor(filter, next),
      position: views.position(),
    };
  }

  @Get(':id')
  async show(
    @Param('id') id: string,
    @Query() query: AfterDto,
    @Headers('accept') accept: string | undefined,
    @Req() request: FastifyRequest,
    @Res() reply: FastifyReply,
  ): Promise<void> {
    await seen(this.ledger, query.after);
    const row = this.row(id);
    const view = workspaceView(baseUri(request), row.state, row.updatedAt);
    reply.header('vw-position', String(this.ledger.ports.views.position()));
    if (wantsXml(accept)) await reply.header('content-type', 'application/xml; charset=utf-8').send(workspaceXml(view));
    else await reply.send(view);
  }

  @Get(':id/history')
  async history(@Param('id') id: string, @Query() query: PageDto): Promise<Page<EventView>> {
    await seen(this.ledger, query.after);
    this.row(id);
    const { store, views } = this.ledger.ports;
    const which = { history: id };
    const limit = query.limit ?? defaultPage;
    const from = Number(decodeCursor(which, query.cursor) ?? 0);
    const items: EventView[] = [];
    for await (const recorded of store.readStream(`workspace-${id}`, { from, limit: limit + 1 })) {
      const event = decodeEvent(recorded);
      if (event.category !== 'foreign') items.push(eventView(event));
    }
    const more = items.length > limit;
    return {
      items: items.slice(0, limit),
      nextCursor: more ? encodeCursor(which, String(from + limit)) : undefined,
      position: views.position(),
    };
  }

  @Get(':id/serial')
  async serial(@Param('id') id: string, @Query() query: SerialDto): Promise<SerialView> {
    const { state } = this.row(id);
    const { placement } = state;
    if (placement.kind === 'none')
      throw refusalProblem({ reason: 'NOT_DEPLOYED', asked: { workspaceId: id }, found: { placement: 'none' } });
    const piece = await this.ledger.consoles.read(placement.hostId, id, query.from ?? 0);
    switch (piece.kind) {
      case 'piece':
        return { text: piece.bytes.toString('utf8'), next: piece.next };
      case 'absent':
        return { text: '', next: query.from ?? 0 };
      case 'silent':
        throw problem(504, 'HOST_SILENT', `Host ${placement.hostId} did not answer within ${piece.waitedMs} ms`);
    }
  }

  @Post(':id/clone')
  async clone(
    @Param('id') id: string,
    @Body() body: CloneDto,
    @Req() request: FastifyRequest,
    @Res() reply: FastifyReply,
    @Headers('accept') accept: string | undefined,
    @Caller() principal: Principal,
  ): Promise<void> {
    const commandId = commandIdOf(request, this.ledger.ports.ids);
    const workspaceId = newWorkspaceId(commandId);
    const source = existingId(id);
    const answer = await this.answer({ verb: 'clone', workspaceId, body: { ...body, source }, commandId, principal });
    await this.sendCreated(reply, { ...answer, reference: this.reference(request, workspaceId, principal) }, accept);
  }

  @Post(':id/check-out')
  @HttpCode(202)
  checkOut(
    @Param('id') id: string,
    @Body() body: LeaseDto,
    @Req() request: FastifyRequest,
    @Res() reply: FastifyReply,
    @Caller() principal: Principal,
  ): Promise<void> {
    return this.command('check-out', body, { id, request, reply, principal });
  }

  @Post(':id/check-in')
  @HttpCode(202)
  checkIn(
    @Param('id') id: string,
    @Req() request: FastifyRequest,
    @Res() reply: FastifyReply,
    @Caller() principal: Principal,
  ): Promise<void> {
    return this.command('check-in', {}, { id, request, reply, principal });
  }

  @Post(':id/renew')
  @HttpCode(202)
  renew(
    @Param('id') id: string,
    @Body() body: LeaseDto,
    @Req() request: FastifyRequest,
    @Res() reply: FastifyReply,
    @Caller() principal: Principal,
  ): Promise<void> {
    return this.command('renew', body, { id, request, reply, principal });
  }

  @Post(':id/steal-lock')
  @HttpCode(202)
  stealLock(
    @Param('id') id: string,
    @Body() body: StealLockDto,
    @Req() request: FastifyRequest,
    @Res() reply: FastifyReply,
    @Caller() principal: Principal,
  ): Promise<void> {
    return this.command('steal-lock', body, { id, request, reply, principal });
  }

  @Post(':id/refine')
  @HttpCode(202)
  refine(
    @Param('id') id: string,
    @Body() body: RefineDto,
    @Req() request: FastifyRequest,
    @Res() reply: FastifyReply,
    @Caller() principal: Principal,
  ): Promise<void> {
    const { description, ...rest } = body;
    const parsed =
      description === undefined
        ? undefined
        : described(Buffer.from(JSON.stringify(description)), 'application/json').description;
    return this.command('refine', { ...rest, description: parsed }, { id, request, reply, principal });
  }

  @Post(':id/deploy')
  @HttpCode(202)
  deploy(
    @Param('id') id: string,
    @Body() body: DeployDto,
    @Req() request: FastifyRequest,
    @Res() reply: FastifyReply,
    @Caller() principal: Principal,
  ): Promise<void> {
    return this.command('deploy', body, { id, request, reply, principal });
  }

  @Post(':id/start')
  @HttpCode(202)
  start(
    @Param('id') id: string,
    @Body() body: StartDto,
    @Req() request: FastifyRequest,
    @Res() reply: FastifyReply,
    @Caller() principal: Principal,
  ): Promise<void> {
    return this.command('start', body, { id, request, reply, principal });
  }

  @Post(':id/pause')
  @HttpCode(202)
  pause(
    @Param('id') id: string,
    @Body() body: DeadlineDto,
    @Req() request: FastifyRequest,
    @Res() reply: FastifyReply,
    @Caller() principal: Principal,
  ): Promise<void> {
    return this.command('pause', body, { id, request, reply, principal });
  }

  @Post(':id/unpause')
  @HttpCode(202)
  unpause(
    @Param('id') id: string,
    @Body() body: DeadlineDto,
    @Req() request: FastifyRequest,
    @Res() reply: FastifyReply,
    @Caller() principal: Principal,
  ): Promise<void> {
    return this.command('unpause', body, { id, request, reply, principal });
  }

  @Post(':id/serialise')
  @HttpCode(202)
  serialise(
    @Param('id') id: string,
    @Body() body: DeadlineDto,
    @Req() request: FastifyRequest,
    @Res() reply: FastifyReply,
    @Caller() principal: Principal,
  ): Promise<void> {
    return this.command('serialise', body, { id, request, reply, principal });
  }

  @Post(':id/stop')
  @HttpCode(202)
  stop(
    @Param('id') id: string,
    @Body() body: StopDto,
    @Req() request: FastifyRequest,
    @Res() reply: FastifyReply,
    @Caller() principal: Principal,
  ): Promise<void> {
    return this.command('stop', body, { id, request, reply, principal });
  }

  @Post(':id/undeploy')
  @HttpCode(202)
  undeploy(
    @Param('id') id: string,
    @Body() body: DeadlineDto,
    @Req() request: FastifyRequest,
    @Res() reply: FastifyReply,
    @Caller() principal: Principal,
  ): Promise<void> {
    return this.command('undeploy', body, { id, request, reply, principal });
  }

  @Post(':id/cancel')
  @HttpCode(202)
  cancel(
    @Param('id') id: string,
    @Body() body: ReasonDto,
    @Req() request: FastifyRequest,
    @Res() reply: FastifyReply,
    @Caller() principal: Principal,
  ): Promise<void> {
    return this.command('cancel', body, { id, request, reply, principal });
  }

  @Post(':id/set-lifetime')
  @HttpCode(202)
  setLifetime(
    @Param('id') id: string,
    @Body() body: SetLifetimeDto,
    @Req() request: FastifyRequest,
    @Res() reply: FastifyReply,
    @Caller() principal: Principal,
  ): Promise<void> {
    return this.command('set-lifetime', lifetime(body), { id, request, reply, principal });
  }

  @Post(':id/repair')
  @HttpCode(202)
  repair(
    @Param('id') id: string,
    @Body() body: RepairDto,
    @Req() request: FastifyRequest,
    @Res() reply: FastifyReply,
    @Caller() principal: Principal,
  ): Promise<void> {
    return this.command('repair', body, { id, request, reply, principal });
  }

  @Post(':id/retire')
  @HttpCode(202)
  retire(
    @Param('id') id: string,
    @Body() body: ReasonDto,
    @Req() request: FastifyRequest,
    @Res() reply: FastifyReply,
    @Caller() principal: Principal,
  ): Promise<void> {
    return this.command('retire', body, { id, request, reply, principal });
  }

  @Post(':id/override')
  @HttpCode(202)
  override(
    @Param('id') id: string,
    @Body() body: ReasonDto,
    @Req() request: FastifyRequest,
    @Res() reply: FastifyReply,
    @Caller() principal: Principal,
  ): Promise<void> {
    return this.command('override', body, { id, request, reply, principal });
  }

  private async command<V extends Exclude<CommandVerb, 'clone'>>(
    verb: V,
    body: CommandBodies[V],
    call: Call,
  ): Promise<void> {
    const { id, request, reply, principal } = call;
    const commandId = commandIdOf(request, this.ledger.ports.ids);
    // A DTO is an instance of its class; a command's body is plain data, because its digest is its identity.
    const plain = { ...body };
    const answer = await this.answer({
      verb,
      workspaceId: existingId(id),
      body: plain,
      commandId,
      principal,
    } as CommandRequest);
    await reply.status(answer.outcome === 'accepted' ? 202 : 200).send(answer);
  }

  private async answer(request: CommandRequest): Promise<CommandAnswer> {
    const outcome = await this.bus.execute(new ExecuteCommand(request));
    if (outcome.kind === 'refused') throw refusalProblem(outcome.refusal);
    const { revision, position } = outcome;
    const requestId = outcome.kind === 'already-done' ? undefined : outcome.requestId;
    const { workspaceId, commandId } = request;
    return { outcome: outcome.kind, workspaceId, commandId, requestId, revision, position };
  }

  private async sendCreated(reply: FastifyReply, answer: CommandAnswer, accept: string | undefined): Promise<void> {
    reply.status(answer.outcome === 'accepted' ? 201 : 200).header('location', answer.reference?.uri ?? '');
    if (wantsXml(accept)) await reply.header('content-type', 'application/xml; charset=utf-8').send(answerXml(answer));
    else await reply.send(answer);
  }

  private reference(request: FastifyRequest, workspaceId: WorkspaceId, principal: Principal) {
    return referenceOf(baseUri(request), workspaceId, principal.subject);
  }

  private row(id: string) {
    const row = isId(id) ? this.ledger.ports.views.workspace(id) : undefined;
    if (row === undefined) throw notFound({ workspace: id });
    return row;
  }
}

/** The id follows from the command's: a create sent twice is one workspace. */
const newWorkspaceId = (commandId: CommandId): WorkspaceId =>
  `w${nameBasedId('workspace', commandId).replaceAll('-', '').slice(0, 19)}` as WorkspaceId;

function existingId(id: string): WorkspaceId {
  if (!isId(id)) throw notFound({ workspace: id });
  return id as WorkspaceId;
}

function described(
  body: unknown,
  contentType: string | undefined,
  filename?: string,
): { description: WorkspaceDescription; notices?: string[] } {
  const parsed = parseDescription(Buffer.isBuffer(body) ? body : Buffer.alloc(0), { contentType, filename });
  if (parsed.ok) {
    return { description: parsed.description, notices: parsed.notices.length > 0 ? [...parsed.notices] : undefined };
  }
  const [first] = parsed.problems;
  const problems = parsed.problems.map((each) => ({ ...each, where: { ...each.where } }));
  throw problem(422, 'INVALID_DESCRIPTION', first?.message ?? 'The description is not valid', { problems });
}

function lifetime({ expiresAt, seconds }: SetLifetimeDto): CommandBodies['set-lifetime'] {
  if ((expiresAt === undefined) === (seconds === undefined)) {
    throw problem(422, 'INVALID', 'Give either expiresAt (an RFC 3339 date-time, or null for ever) or seconds', {
      problems: [{ code: 'one-of', message: 'one of the two', where: { field: 'expiresAt' } }],
    });
  }
  if (typeof expiresAt !== 'string') return { expiresAt, seconds };
  const instant = parseInstant(expiresAt);
  if (instant === undefined) {
    throw problem(
      422,
      'INVALID',
      `expiresAt is an RFC 3339 date-time such as 2030-01-31T12:00:00Z, not ${JSON.stringify(expiresAt)}`,
      {
        problems: [{ code: 'date-time', message: 'not a date-time', where: { field: 'expiresAt' } }],
      },
    );
  }
  return { expiresAt: instant, seconds };
}

/** As the caller reached us: the guard on the Host header has seen to it that it is one of our names. */
const baseUri = (request: FastifyRequest): string => `http://${request.headers.host}`;

const wantsXml = (accept: string | undefined): boolean => /\b(application|text)\/xml\b/.test(accept ?? '');
