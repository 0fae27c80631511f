/**
 * One command, from request to answer: read the stream, see whether it was answered before, decide, append with the expected revision. The intent is durable
 * before any side effect (PROTOCOL.md, "From intent to outcome", 1). A command id belongs to one command on one workspace.
 *
 * A workspace that was read before is first decided on as it was then: where that leads to an append, the expected revision proves that nothing came between.
 * Every other answer is given only on what the stream says now.
 */
import {
  answeredBefore,
  collectAnswers,
  type CommandId,
  decideWorkspace,
  type EventMetadata,
  refuse,
  type WorkspaceEvent,
} from '@vw/domain';
import { canonicalJson, type Clock, sha256Hex } from '@vw/runtime';
import { CommandIds } from './command-ids.js';
import type { Policy } from './policy.js';
import { prepare } from './prepare.js';
import type { LoadedWorkspace } from './remembered.js';
import type { CommandOutcome, CommandRequest } from './request.js';
import type { Streams } from './streams.js';
import type { World } from './world.js';

export class WorkspaceCommands {
  constructor(
    private readonly streams: Streams,
    private readonly world: World,
    private readonly commandIds: CommandIds,
    private readonly policy: Policy,
    private readonly clock: Clock,
  ) {}

  /** @throws StoreUnavailable when the store cannot take it; asking again with the same id is then safe */
  async execute(request: CommandRequest): Promise<CommandOutcome> {
    const digest = commandDigest(request);
    const stream = `workspace-${request.workspaceId}`;
    const claim = this.commandIds.claim(request.commandId, stream);
    if (claim.kind === 'taken') {
      const { commandId } = request;
      return refuse('COMMAND_ID_REUSED', { commandId, stream }, { commandId, stream: claim.by }) as CommandOutcome;
    }
    // Decided on the past, a command that was answered would be taken for a new one, and only the store would know better.
    let mayBeBehind = claim.kind === 'new';
    return this.streams.settle(stream, async () => {
      const recalled = this.streams.recalled(request.workspaceId);
      if (mayBeBehind && recalled.history.length > 0) {
        mayBeBehind = false;
        const outcome = await this.attempt(request, stream, digest, recalled);
        if (outcome.kind === 'accepted') return outcome;
      }
      return this.attempt(request, stream, digest, await this.streams.workspace(request.workspaceId));
    });
  }

  private async attempt(
    request: CommandRequest,
    stream: string,
    digest: string,
    { state, history }: LoadedWorkspace,
  ): Promise<CommandOutcome> {
    const { commandId, principal } = request;
    const before = answeredBefore(collectAnswers(history), commandId, digest);
    if (before.kind === 'refused') return before;
    if (before.kind === 'repeated') {
      const { revision, position } = before.answer;
      const requestId = history.some(({ event }) => opens(event, commandId)) ? commandId : undefined;
      return { kind: 'repeated', revision, position, requestId };
    }
    const prepared = await prepare(request, state, this.world, this.policy, this.clock);
    if (prepared.kind === 'refused') return prepared;
    const decision = decideWorkspace(state, prepared.command);
    if (decision.kind === 'refused') return decision;
    if (decision.kind === 'already-done') {
      return { kind: 'already-done', revision: state.revision, position: state.position };
    }
    const metadata: EventMetadata = {
      schemaVersion: 1,
      principal,
      recordedAt: prepared.command.at,
      commandId,
      commandDigest: digest,
      correlationId: commandId,
      causationId: commandId,
    };
    const done = await this.streams.append(stream, state.revision, decision.events, metadata, [commandId, digest]);
    const requestId = decision.events.some((event) => opens(event, commandId)) ? commandId : undefined;
    return { kind: 'accepted', ...done, requestId };
  }
}

/** What makes two requests the same: who asks what of which workspace. */
function commandDigest(request: CommandRequest): string {
  const { verb, workspaceId, body, principal } = request;
  return sha256Hex(canonicalJson({ verb, workspaceId, body, subject: principal.subject }));
}

function opens(event: WorkspaceEvent, commandId: CommandId): boolean {
  return event.type.endsWith('Requested') && 'deadline' in event.data && event.data.requestId === commandId;
}
