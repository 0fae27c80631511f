/**
 * Idempotency (PROTOCOL.md, "Commands"): which command ids a stream has answered, and how. The same id again gets the first answer; the same id
 * with another body is refused. A refused or already-done command leaves no trace, so it is simply decided again.
 */
import { refuse, type Decision } from './decision.js';
import type { CommandId } from './ids.js';
import type { Recorded } from './metadata.js';

export interface Answer {
  readonly digest: string;
  /** Of the command's last event. */
  readonly revision: number;
  readonly position: number;
}

/** Collects the answers of one stream's events, read in order. */
export function collectAnswers(recorded: Iterable<Recorded<unknown>>): Map<CommandId, Answer> {
  const answers = new Map<CommandId, Answer>();
  for (const { metadata, revision, position } of recorded) {
    const { commandId, commandDigest } = metadata;
    if (commandId !== undefined && commandDigest !== undefined) {
      answers.set(commandId, { digest: commandDigest, revision, position });
    }
  }
  return answers;
}

/** What the stream's history already says of a command: its first answer, a refusal, or nothing. */
export function answeredBefore(
  answers: ReadonlyMap<CommandId, Answer>,
  commandId: CommandId,
  digest: string,
): { readonly kind: 'new' } | { readonly kind: 'repeated'; readonly answer: Answer } | Decision<never> {
  const answer = answers.get(commandId);
  if (answer === undefined) return { kind: 'new' };
  if (answer.digest === digest) return { kind: 'repeated', answer };
  return refuse('COMMAND_ID_REUSED', { commandId, digest }, { commandId, digest: answer.digest });
}
