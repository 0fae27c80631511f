/** Stream identifiers: bytes on the wire, which are UTF-8 and nothing else; two different names never become one. */
import { shared } from './generated.js';

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** @throws RangeError when there is none, or its bytes are not UTF-8 */
export function streamNameOf(identifier: shared.StreamIdentifier | undefined): string {
  const bytes = identifier?.getStreamName_asU8();
  if (!bytes?.length) throw new RangeError('no stream name given');
  try {
    return utf8.decode(bytes);
  } catch (cause) {
    throw new RangeError('the stream name is not UTF-8', { cause });
  }
}

export function streamIdentifier(name: string): shared.StreamIdentifier {
  const identifier = new shared.StreamIdentifier();
  identifier.setStreamName(Buffer.from(name));
  return identifier;
}
