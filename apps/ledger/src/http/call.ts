/** One command over HTTP: on which workspace, by whom, under which id; and how its outcome becomes an answer. */
import { createParamDecorator, type ExecutionContext } from '@nestjs/common';
import type { CommandBus } from '@nestjs/cqrs';
import type { CommandAnswer } from '@vw/contracts';
import { isId, type Principal, type WorkspaceId } from '@vw/domain';
import type { FastifyRequest } from 'fastify';
import type { CommandRequest } from '../commands/request.js';
import { principalOf } from './caller.js';
import { ExecuteCommand } from './controllers/execute.js';
import { notFound, refusalProblem } from './problem.js';

/** What a command's route needs besides its body; the reply it asks for with `@Res`, which alone tells Nest that it will be sent. */
export interface Call {
  readonly workspaceId: WorkspaceId;
  readonly principal: Principal;
  readonly request: FastifyRequest;
}

/** The call of a route with `:id` in its path. @throws ProblemException 404 when that is no id */
export const TheCall = createParamDecorator((_: unknown, context: ExecutionContext): Call => {
  const request = context.switchToHttp().getRequest<FastifyRequest<{ Params: { id: string } }>>();
  const workspaceId = existingId(request.params.id);
  return { workspaceId, principal: principalOf(request), request };
});

export function existingId(id: string): WorkspaceId {
  if (!isId(id)) throw notFound({ workspace: id });
  return id as WorkspaceId;
}

/** @throws ProblemException when the command is refused */
export async function answerTo(bus: CommandBus, request: CommandRequest): Promise<CommandAnswer> {
  const outcome = await bus.execute(new ExecuteCommand(request));
  if (outcome.kind === 'refused') throw refusalProblem(outcome.refusal);
  const { revision, position } = outcome;
  const requestId = outcome.kind === 'already-done' ? undefined : outcome.requestId;
  const { workspaceId, commandId } = request;
  return { outcome: outcome.kind, workspaceId, commandId, requestId, revision, position };
}

/** As the caller reached us: the guard on the Host header has seen to it that it is one of our names. */
export const baseUri = (request: FastifyRequest): string => `http://${request.headers.host}`;

export const wantsXml = (accept: string | undefined): boolean => /\b(application|text)\/xml\b/.test(accept ?? '');
