/** Which command ids were used, and for what: the same id on another stream, or with another body, is another command (PROTOCOL.md, "Commands"). */
import type { CommandId } from '@vw/domain';
import type { KnownEvent } from '../decode.js';

export interface CommandUse {
  readonly stream: string;
  /** SHA-256 of the command's canonical body, in lower-case hexadecimal. */
  readonly digest: string;
}

/** The command that the event is an answer to; none for what host evidence brought. */
export function commandUse({
  stream,
  metadata,
}: KnownEvent): (CommandUse & { readonly commandId: CommandId }) | undefined {
  const { commandId, commandDigest } = metadata;
  if (commandId === undefined || commandDigest === undefined) return undefined;
  return { commandId, stream, digest: commandDigest };
}
