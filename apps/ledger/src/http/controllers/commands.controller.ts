/** `/v1/workspaces/{id}/{verb}`: one POST for each command. A route judges its body and hands it on; the rules are the domain's. */
import { Body, Controller, Inject, Post, Res } from '@nestjs/common';
import { CommandBus } from '@nestjs/cqrs';
import type { CommandVerb } from '@vw/contracts';
import { parseInstant } from '@vw/runtime';
import type { FastifyReply } from 'fastify';
import type { CommandBodies, CommandRequest } from '../../commands/request.js';
import type { Ledger } from '../../ledger.js';
import { answerTo, type Call, TheCall } from '../call.js';
import { commandIdOf } from '../caller.js';
import { described } from '../described.js';
import {
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
import { problem } from '../problem.js';
import { LEDGER } from '../reading.js';

@Controller('v1/workspaces/:id')
export class CommandsController {
  constructor(
    @Inject(LEDGER) private readonly ledger: Ledger,
    private readonly bus: CommandBus,
  ) {}

  @Post('check-out')
  checkOut(@TheCall() call: Call, @Body() body: LeaseDto, @Res() reply: FastifyReply): Promise<void> {
    return this.command('check-out', body, call, reply);
  }

  @Post('check-in')
  checkIn(@TheCall() call: Call, @Res() reply: FastifyReply): Promise<void> {
    return this.command('check-in', {}, call, reply);
  }

  @Post('renew')
  renew(@TheCall() call: Call, @Body() body: LeaseDto, @Res() reply: FastifyReply): Promise<void> {
    return this.command('renew', body, call, reply);
  }

  @Post('steal-lock')
  stealLock(@TheCall() call: Call, @Body() body: StealLockDto, @Res() reply: FastifyReply): Promise<void> {
    return this.command('steal-lock', body, call, reply);
  }

  @Post('refine')
  refine(
    @TheCall() call: Call,
    @Body() { description, ...rest }: RefineDto,
    @Res() reply: FastifyReply,
  ): Promise<void> {
    const json = description === undefined ? undefined : Buffer.from(JSON.stringify(description));
    const parsed = json === undefined ? undefined : described(json, 'application/json').description;
    return this.command('refine', { ...rest, description: parsed }, call, reply);
  }

  @Post('deploy')
  deploy(@TheCall() call: Call, @Body() body: DeployDto, @Res() reply: FastifyReply): Promise<void> {
    return this.command('deploy', body, call, reply);
  }

  @Post('start')
  start(@TheCall() call: Call, @Body() body: StartDto, @Res() reply: FastifyReply): Promise<void> {
    return this.command('start', body, call, reply);
  }

  @Post('pause')
  pause(@TheCall() call: Call, @Body() body: DeadlineDto, @Res() reply: FastifyReply): Promise<void> {
    return this.command('pause', body, call, reply);
  }

  @Post('unpause')
  unpause(@TheCall() call: Call, @Body() body: DeadlineDto, @Res() reply: FastifyReply): Promise<void> {
    return this.command('unpause', body, call, reply);
  }

  @Post('serialise')
  serialise(@TheCall() call: Call, @Body() body: DeadlineDto, @Res() reply: FastifyReply): Promise<void> {
    return this.command('serialise', body, call, reply);
  }

  @Post('stop')
  stop(@TheCall() call: Call, @Body() body: StopDto, @Res() reply: FastifyReply): Promise<void> {
    return this.command('stop', body, call, reply);
  }

  @Post('undeploy')
  undeploy(@TheCall() call: Call, @Body() body: DeadlineDto, @Res() reply: FastifyReply): Promise<void> {
    return this.command('undeploy', body, call, reply);
  }

  @Post('cancel')
  cancel(@TheCall() call: Call, @Body() body: ReasonDto, @Res() reply: FastifyReply): Promise<void> {
    return this.command('cancel', body, call, reply);
  }

  @Post('set-lifetime')
  setLifetime(@TheCall() call: Call, @Body() body: SetLifetimeDto, @Res() reply: FastifyReply): Promise<void> {
    return this.command('set-lifetime', lifetime(body), call, reply);
  }

  @Post('repair')
  repair(@TheCall() call: Call, @Body() body: RepairDto, @Res() reply: FastifyReply): Promise<void> {
    return this.command('repair', body, call, reply);
  }

  @Post('retire')
  retire(@TheCall() call: Call, @Body() body: ReasonDto, @Res() reply: FastifyReply): Promise<void> {
    return this.command('retire', body, call, reply);
  }

  @Post('override')
  override(@TheCall() call: Call, @Body() body: ReasonDto, @Res() reply: FastifyReply): Promise<void> {
    return this.command('override', body, call, reply);
  }

  private async command<V extends Exclude<CommandVerb, 'clone'>>(
    verb: V,
    body: CommandBodies[V],
    call: Call,
    reply: FastifyReply,
  ): Promise<void> {
    const { workspaceId, principal, request } = call;
    const commandId = commandIdOf(request, this.ledger.ports.ids);
    // A DTO is an instance of its class; a command's body is plain data, because its digest is its identity.
    const plain = { verb, workspaceId, body: { ...body }, commandId, principal } as CommandRequest;
    const answer = await answerTo(this.bus, plain);
    await reply.status(answer.outcome === 'accepted' ? 202 : 200).send(answer);
  }
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
