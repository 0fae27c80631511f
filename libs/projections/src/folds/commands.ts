/** Which command ids were used, and for what: the same id on another stream is another command (PROTOCOL.md, "Commands"). */
import type { CommandId } from '@vw/domain';
import type { KnownEvent } from '../decode.js';

export interface CommandUse {
  /** Its own events say which body the command had (`metadata.commandDigest`). */
  readonly stream: string;
}

/** The command that the event is an answer to; none for what host evidence brought. */
export function commandUse({
  stream,
  metadata,
}: KnownEvent): (CommandUse & { readonly commandId: CommandId }) | undefined {
  const { commandId, commandDigest } = metadata;
  if (commandId === undefined || commandDigest === undefined) return undefined;
  return { commandId, stream };
}
