/** The JSON Schema of a description, generated from the domain's type, and its verdict in words. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Ajv, type ErrorObject } from 'ajv';
import type { WorkspaceDescription } from '@vw/domain';
import { packageRoot } from '@vw/runtime';
import { problem, refusedFor, shown, type DescriptionProblem, type Refused, type Where } from './problems.js';
import { pointerTo } from './reading.js';

/** JSON Schema (draft 07) of `WorkspaceDescription`; `schemas/workspace-description.schema.json`. */
export const descriptionSchema = JSON.parse(
  readFileSync(join(packageRoot(), 'schemas', 'workspace-description.schema.json'), 'utf8'),
) as Readonly<Record<string, unknown>>;

const validate = new Ajv({ allErrors: true, verbose: true, strict: true }).compile<WorkspaceDescription>(
  descriptionSchema,
);

/** Whether the value has the shape of a description; if not, why. */
export function judgeShape(
  value: unknown,
  locate: (pointer: string) => Where,
): { ok: true; description: WorkspaceDescription } | Refused {
  if (validate(value)) return { ok: true, description: value };
  return refusedFor(validate.errors ?? [], (error) => inWords(error, locate));
}

function inWords(error: ErrorObject, locate: (pointer: string) => Where): DescriptionProblem {
  const here = error.instancePath;
  switch (error.keyword) {
    case 'required': {
      const missing = String(error.params['missingProperty']);
      return problem('FIELD_INVALID', 'is missing', locate(here + pointerTo([missing])));
    }
    case 'additionalProperties': {
      const unknown = String(error.params['additionalProperty']);
      return problem('FIELD_INVALID', 'is not a field of a description', locate(here + pointerTo([unknown])));
    }
    case 'enum': {
      const allowed = (error.params['allowedValues'] as unknown[]).map(shown).join(', ');
      return problem('FIELD_INVALID', `must be one of ${allowed}, not ${shown(error.data)}`, locate(here));
    }
    default:
      return problem('FIELD_INVALID', `${error.message ?? 'is not valid'}, not ${shown(error.data)}`, locate(here));
  }
}
