/** What every format's reader hands on: one value in our own vocabulary, not yet judged, and a way back to the place of each field. */
import type { Refused, Where } from './problems.js';

/** Our own vocabulary, in JSON, YAML and XML alike; also the namespace of its XML. */
export const OWN_REVISION = 'urn:workspace-ledger:description:1';

export interface Read {
  ok: true;
  value: unknown;
  /** The vocabulary the document was written in: `OWN_REVISION`, or the namespace of the revision. */
  revision: string;
  notices: string[];
  /** Where the field of this JSON pointer stands, or the nearest thing around it. */
  locate(pointer: string): Where;
}

export type Reading = Read | Refused;

/** RFC 6901 (JSON Pointer), section 3. */
export function pointerTo(path: readonly (string | number)[]): string {
  return path.map((step) => `/${String(step).replaceAll('~', '~0').replaceAll('/', '~1')}`).join('');
}
