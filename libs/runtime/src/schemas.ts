/** The committed JSON Schemas as guards: what comes from outside is judged by the same file that others are told to write against. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Ajv, type ErrorObject } from 'ajv';
import { packageRoot } from './package-root.js';

/** One fault of a value: where (a JSON Pointer, RFC 6901), and what was expected there. */
export interface SchemaFault {
  readonly field: string;
  readonly message: string;
}

export type Judged<T> =
  { readonly ok: true; readonly value: T } | { readonly ok: false; readonly faults: readonly SchemaFault[] };

/**
 * Compiles `schemas/<name>.schema.json` (JSON Schema draft 7). The guard never changes the value it judges.
 * @throws when the file is missing or is no schema: the installation is incomplete
 */
export function schemaGuard<T>(name: string): (value: unknown) => Judged<T> {
  const file = join(packageRoot(), 'schemas', `${name}.schema.json`);
  const validate = new Ajv({ allErrors: false, strict: false }).compile<T>(JSON.parse(readFileSync(file, 'utf8')));
  return (value) =>
    validate(value) ? { ok: true, value } : { ok: false, faults: (validate.errors ?? []).map(describeFault) };
}

function describeFault(error: ErrorObject): SchemaFault {
  const extra = error.keyword === 'additionalProperties' ? ` (${error.params.additionalProperty as string})` : '';
  const allowed = error.keyword === 'enum' ? `: ${(error.params.allowedValues as unknown[]).join(', ')}` : '';
  return { field: error.instancePath || '/', message: `${error.message ?? 'is not valid'}${extra}${allowed}` };
}
