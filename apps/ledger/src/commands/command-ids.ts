/**
 * Which stream a command id belongs to. A stream knows its own command ids exactly; that an id was used on *another* stream is known from the views and,
 * for what the views have not yet seen, from what this process has handled lately.
 */
import type { CommandId } from '@vw/domain';

const remembered = 10_000;

export type Claim = { readonly kind: 'new' | 'again' } | { readonly kind: 'taken'; readonly by: string };

export class CommandIds {
  private readonly recent = new Map<CommandId, string>();

  constructor(private readonly recorded: (commandId: CommandId) => string | undefined) {}

  /** Claims the id for the stream, unless another one has it already. */
  claim(commandId: CommandId, stream: string): Claim {
    const owner = this.recent.get(commandId) ?? this.recorded(commandId);
    if (owner !== undefined && owner !== stream) return { kind: 'taken', by: owner };
    this.recent.set(commandId, stream);
    if (this.recent.size > remembered) this.recent.delete(this.recent.keys().next().value as CommandId);
    return { kind: owner === undefined ? 'new' : 'again' };
  }
}
