/** `/v1/workspaces`: the factory and the repository over HTTP. */
import { Body, Controller, Get, Headers, Inject, Param, Post, Query, Req, Res } from '@nestjs/common';
import { CommandBus } from '@nestjs/cqrs';
import type { CommandAnswer, EventView, Page, SerialView, WorkspaceReference, WorkspaceView } from '@vw/contracts';
import type { CommandId, Principal, WorkspaceId } from '@vw/domain';
import { decodeEvent, type WorkspaceRow } from '@vw/projections';
import { nameBasedId } from '@vw/runtime';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { Ledger } from '../../ledger.js';
import { answerTo, baseUri, type Call, existingId, TheCall, wantsXml } from '../call.js';
import { Caller, commandIdOf } from '../caller.js';
import { decodeCount, decodeCursor, encodeCursor } from '../cursor.js';
import { described } from '../described.js';
import { CloneDto } from '../dto/commands.dto.js';
import { AfterDto, CreateQueryDto, ListWorkspacesDto, PageDto, SerialDto } from '../dto/queries.dto.js';
import { notFound, problem, refusalProblem } from '../problem.js';
import { LEDGER, seen } from '../reading.js';
import { eventView, referenceOf, workspaceView } from '../render/views.js';
import { answerXml, workspaceXml } from '../render/xml.js';

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
    const answer = await answerTo(this.bus, { verb: 'create', workspaceId, body, commandId, principal });
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
    if (wantsXml(accept))
      await reply
        .header('content-type', 'application/xml; charset=utf-8')
        .send(workspaceXml(view, row.state.description));
    else await reply.send(view);
  }

  @Get(':id/history')
  async history(@Param('id') id: string, @Query() query: PageDto): Promise<Page<EventView>> {
    await seen(this.ledger, query.after);
    this.row(id);
    const { store, views } = this.ledger.ports;
    const which = { history: id };
    const limit = query.limit ?? defaultPage;
    const from = decodeCount(which, query.cursor);
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
    @TheCall() { workspaceId: source, principal, request }: Call,
    @Res() reply: FastifyReply,
    @Body() { name }: CloneDto,
    @Headers('accept') accept: string | undefined,
  ): Promise<void> {
    const commandId = commandIdOf(request, this.ledger.ports.ids);
    const workspaceId = newWorkspaceId(commandId);
    const body = { source, name };
    const answer = await answerTo(this.bus, { verb: 'clone', workspaceId, body, commandId, principal });
    const reference = this.reference(request, workspaceId, principal);
    await this.sendCreated(reply, { ...answer, reference }, accept);
  }

  private async sendCreated(reply: FastifyReply, answer: CommandAnswer, accept: string | undefined): Promise<void> {
    reply.status(answer.outcome === 'accepted' ? 201 : 200).header('location', answer.reference?.uri ?? '');
    if (wantsXml(accept)) await reply.header('content-type', 'application/xml; charset=utf-8').send(answerXml(answer));
    else await reply.send(answer);
  }

  private reference(request: FastifyRequest, workspaceId: WorkspaceId, principal: Principal): WorkspaceReference {
    return referenceOf(baseUri(request), workspaceId, principal.subject);
  }

  private row(id: string): WorkspaceRow {
    const row = this.ledger.ports.views.workspace(existingId(id));
    if (row === undefined) throw notFound({ workspace: id });
    return row;
  }
}

/** The id follows from the command's: a create sent twice is one workspace. */
const newWorkspaceId = (commandId: CommandId): WorkspaceId =>
  `w${nameBasedId('workspace', commandId).replaceAll('-', '').slice(0, 19)}` as WorkspaceId;
