/**
 * The XSDs of the vocabularies, compiled once per process and kept (compiling costs as much as reading a hundred documents).
 *
 * Imports are answered from `schemas/xsd` and only while a schema is being compiled: a document's own xsi:schemaLocation finds nothing.
 */
import { readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { packageRoot } from '@vw/runtime';
import {
  closeBuffer,
  openBuffer,
  readBuffer,
  XmlDocument,
  xmlRegisterInputProvider,
  XmlValidateError,
  XsdValidator,
  type ErrorDetail,
} from 'libxml2-wasm';

/** The bytes of an imported schema by the last part of its location; undefined where there is none, and the import stays empty. */
export type SchemaSource = (name: string) => Uint8Array | undefined;

const SCHEME = 'xsd:///';

let answering: SchemaSource | undefined;
let registered = false;

/**
 * Compiles a schema with all it imports. The library's own use is the vocabularies; a test compares them with schemas from elsewhere.
 * The validator is the caller's to dispose. Throws XmlValidateError where the schema is wrong.
 */
export function compileXsd(entry: string, source: SchemaSource): XsdValidator {
  registered ||= xmlRegisterInputProvider({
    match: (location) => answering !== undefined && location.startsWith(SCHEME),
    open: (location) => {
      const bytes = answering?.(basename(location));
      return bytes && openBuffer(bytes);
    },
    read: readBuffer,
    close: (handle) => {
      closeBuffer(handle);
      return true;
    },
  });
  const bytes = source(entry);
  if (!bytes) throw new Error(`the schema ${entry} is missing`);
  const document = XmlDocument.fromBuffer(bytes, { url: SCHEME + entry });
  answering = source;
  try {
    return XsdValidator.fromDoc(document);
  } finally {
    answering = undefined;
    document.dispose();
  }
}

export type Vocabulary =
  'workspace-description' | 'virtual-workspace' | 'virtual-workspace-2008-03' | 'logistics' | 'negotiable';

const compiled = new Map<Vocabulary, XsdValidator>();

/** What the vocabulary's schema has against the document: nothing, if it is valid. */
export function objections(vocabulary: Vocabulary, document: XmlDocument): readonly ErrorDetail[] {
  let validator = compiled.get(vocabulary);
  if (!validator) {
    validator = compileXsd(`${vocabulary}.xsd`, (name) => readFileSync(join(packageRoot(), 'schemas', 'xsd', name)));
    compiled.set(vocabulary, validator);
  }
  try {
    validator.validate(document);
    return [];
  } catch (cause) {
    if (cause instanceof XmlValidateError) return cause.details;
    throw cause;
  }
}
