/** A command on the CommandBus: the handler is thin, the work is WorkspaceCommands'. Nothing durable hangs on the bus. */
import { Inject } from '@nestjs/common';
import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import type { CommandOutcome, CommandRequest } from '../../commands/request.js';
import type { Ledger } from '../../ledger.js';
import { LEDGER } from '../reading.js';

export class ExecuteCommand extends Command<CommandOutcome> {
  constructor(readonly request: CommandRequest) {
    super();
  }
}

@CommandHandler(ExecuteCommand)
export class ExecuteHandler implements ICommandHandler<ExecuteCommand> {
  constructor(@Inject(LEDGER) private readonly ledger: Ledger) {}

  async execute({ request }: ExecuteCommand): Promise<CommandOutcome> {
    const { clock } = this.ledger.ports;
    const began = clock.monotonic();
    const outcome = await this.ledger.commands.execute(request);
    const reason = outcome.kind === 'refused' ? outcome.refusal.reason : '';
    this.ledger.metrics.countCommand(request.verb, outcome.kind, reason, (clock.monotonic() - began) / 1000);
    return outcome;
  }
}
