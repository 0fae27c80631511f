/** A DTO's decorators as JSON Schema, so that what guards a request is also what documents it. Every decorator that a DTO uses has its line here. */
import { getMetadataStorage, ValidationTypes } from 'class-validator';

type Constructor = new () => object;
export type JsonSchema = { readonly [key: string]: unknown };

export function dtoProperties(dto: Constructor): Record<string, JsonSchema> {
  const properties: Record<string, Record<string, unknown>> = {};
  for (const { propertyName, name, type, constraints = [] } of metadataOf(dto)) {
    Object.assign((properties[propertyName] ??= {}), keyword(name ?? type, constraints));
  }
  for (const name of nullableOf(dto)) Object.assign(properties[name]!, { type: [properties[name]!.type, 'null'] });
  return properties;
}

export function dtoSchema(dto: Constructor): JsonSchema {
  return { type: 'object', properties: dtoProperties(dto), required: requiredOf(dto), additionalProperties: false };
}

export function requiredOf(dto: Constructor): string[] {
  const all = metadataOf(dto);
  const optional = new Set(
    all.filter(({ type }) => type === ValidationTypes.CONDITIONAL_VALIDATION).map(({ propertyName }) => propertyName),
  );
  return [...new Set(all.map(({ propertyName }) => propertyName))].filter((name) => !optional.has(name));
}

/** `IsOptional` takes null for an answer, `Optional` does not. */
const nullableOf = (dto: Constructor): string[] =>
  metadataOf(dto)
    .filter(({ name }) => name === 'isOptional')
    .map(({ propertyName }) => propertyName);

const metadataOf = (dto: Constructor) =>
  getMetadataStorage()
    .getTargetValidationMetadatas(dto, '', false, false)
    // Decorators run from the last to the first; names in alphabetical order are the same on every machine.
    .toSorted((a, b) => a.propertyName.localeCompare(b.propertyName));

function keyword(decorator: string, [first, second]: readonly unknown[]): Record<string, unknown> {
  switch (decorator) {
    case 'isOptional':
    case ValidationTypes.CONDITIONAL_VALIDATION:
      return {};
    case 'isInt':
      return { type: 'integer' };
    case 'isBoolean':
      return { type: 'boolean' };
    case 'isObject':
      return { type: 'object' };
    case 'isString':
      return { type: 'string' };
    case 'min':
      return { minimum: first };
    case 'max':
      return { maximum: first };
    case 'isLength':
      return { minLength: first, maxLength: second };
    case 'isIn':
      return { enum: first };
    case 'matches':
      return { type: 'string', pattern: (first as RegExp).source };
    default:
      throw new Error(`the decorator ${decorator} has no JSON Schema here: add its line`);
  }
}
