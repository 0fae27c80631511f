/** What a schema says to a document: the question the comparison asks of both sides. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { XmlDocument, XmlParseError, XmlValidateError, type XsdValidator } from 'libxml2-wasm';
import { compileXsd } from '@vw/descriptions';
import { XSD_FOLDER } from './mutants.js';

export type Verdict = 'valid' | 'invalid' | 'malformed';

export function verdict(schema: XsdValidator, document: string): Verdict {
  return verdicts([schema], document)[0]!;
}

/** Every schema's verdict on the one document, parsed once. */
export function verdicts(schemas: readonly XsdValidator[], document: string): Verdict[] {
  let parsed: XmlDocument;
  try {
    parsed = XmlDocument.fromString(document);
  } catch (cause) {
    if (cause instanceof XmlParseError) return schemas.map(() => 'malformed');
    throw cause;
  }
  try {
    return schemas.map((schema) => judge(schema, parsed));
  } finally {
    parsed.dispose();
  }
}

function judge(schema: XsdValidator, document: XmlDocument): Verdict {
  try {
    schema.validate(document);
    return 'valid';
  } catch (cause) {
    if (cause instanceof XmlValidateError) return 'invalid';
    throw cause;
  }
}

/** One of this project's own XSDs; `edit` may change a file's text on the way, to plant a difference. */
export function ownSchema(
  entry: string,
  edit: (file: string, text: string) => string = (_file, text) => text,
): XsdValidator {
  return compileXsd(entry, (name) => Buffer.from(edit(name, readFileSync(join(XSD_FOLDER, name), 'utf8'))));
}

/**
 * One of the published XSDs, from their folder. They import each other by paths of the source tree they came from, and WS-Addressing, which is not
 * beside them and of which they use nothing: imports are looked up by file name, and what is absent stands in as an empty schema.
 */
export function publishedSchema(folder: string, entry: string): XsdValidator {
  return compileXsd(entry, (name) => {
    if (name === 'WS-Addressing.xsd') return emptySchema('http://schemas.xmlsoap.org/ws/2004/03/addressing');
    return readFileSync(join(folder, name));
  });
}

function emptySchema(namespace: string): Uint8Array {
  return Buffer.from(`<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema" targetNamespace="${namespace}"/>`);
}
