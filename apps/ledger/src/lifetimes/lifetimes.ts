/**
 * Ends what is over: a workspace whose lifetime has passed is marked expired, then brought off its host, step by step, each step a command of the ledger's
 * own hand. Nothing is forced: a step that is refused, because an intent is open, is tried again later.
 */
import { type CommandId, ledgerSubject, type Principal, type WorkspaceState } from '@vw/domain';
import { type Clock, type Logger, nameBasedId, type Timers } from '@vw/runtime';
import type { CommandRequest } from '../commands/request.js';
import type { WorkspaceCommands } from '../commands/workspace-commands.js';

const ledger: Principal = { subject: ledgerSubject, attributes: {}, method: 'ledger' };

export class Lifetimes {
  constructor(
    private readonly commands: WorkspaceCommands,
    /** Workspaces whose lifetime is over and which are not yet marked so, or are still on a host. */
    private readonly over: (now: number) => readonly WorkspaceState[],
    private readonly everyMs: number,
    private readonly clock: Clock,
    private readonly timers: Timers,
    private readonly logger: Logger,
  ) {}

  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await this.timers.sleep(this.everyMs, signal);
      if (signal.aborted) return;
      for (const state of this.over(this.clock.now())) {
        const { workspaceId, revision } = state;
        const request = nextStep(state);
        if (request === undefined) continue;
        // One id per step and revision: a step repeated before the views show it is the same command.
        const commandId = nameBasedId('lifetime', workspaceId, request.verb, String(revision)) as CommandId;
        try {
          await this.commands.execute({ ...request, workspaceId, commandId, principal: ledger } as CommandRequest);
        } catch (error) {
          this.logger.warn({ err: error, workspaceId }, 'an expired workspace could not be brought on its way yet');
        }
      }
    }
  }
}

type Step = { readonly verb: CommandRequest['verb']; readonly body: object };

function nextStep(state: WorkspaceState): Step | undefined {
  if (!state.expired) return { verb: 'expire', body: {} };
  if (state.placement.kind !== 'staged' || state.intent.kind !== 'none') return undefined;
  const { power } = state;
  const atRest = power.kind === 'shutdown' || (power.kind === 'serialised' && power.guest === 'none');
  return atRest ? { verb: 'undeploy', body: {} } : { verb: 'stop', body: { mode: 'graceful' } };
}
