/**
 * A workspace description out of whatever it was written in. In this order, each step only on what the one before let pass:
 *
 *   admission → format → reader (JSON, YAML, XML and its schema) → defaults → JSON Schema → rules
 *
 * Every form ends in the same checks, so no form can say what another may not. Hostile input is answered like any other: with a value.
 */
import type { WorkspaceDescription } from '@vw/domain';
import { admit } from './admission.js';
import { withDefaults } from './defaults.js';
import { formatOf, type DescriptionFormat, type FormatHint } from './format.js';
import { readJson } from './json.js';
import { refusedFor, type Refused } from './problems.js';
import type { Reading } from './reading.js';
import { brokenRules } from './rules.js';
import { judgeShape } from './schema.js';
import { readXml } from './xml/read.js';
import { readYaml } from './yaml.js';

export interface Described {
  ok: true;
  description: WorkspaceDescription;
  format: DescriptionFormat;
  /** The vocabulary it was written in: our own (`OWN_REVISION`), or the namespace of the published revision. */
  revision: string;
  /** What the sender should know: an older revision was upcast, something could not be kept. */
  notices: string[];
}

export type ParsedDescription = Described | Refused;

/** Reads a description: bytes, or a text already decoded. Never throws on account of the document. */
export function parseDescription(document: Uint8Array | string, hint?: FormatHint): ParsedDescription {
  const admitted = admit(document);
  if (!admitted.ok) return admitted;

  const format = formatOf(admitted.text, hint);
  const reading = read(admitted.text, format);
  if (!reading.ok) return reading;

  const judged = judgeShape(withDefaults(reading.value), reading.locate);
  if (!judged.ok) return judged;
  const rules = refusedFor(brokenRules(judged.description, reading.locate), (broken) => broken);
  if (rules.problems.length > 0) return rules;
  return { ok: true, description: judged.description, format, revision: reading.revision, notices: reading.notices };
}

function read(text: string, format: DescriptionFormat): Reading {
  switch (format) {
    case 'json':
      return readJson(text);
    case 'yaml':
      return readYaml(text);
    case 'xml':
      return readXml(text);
  }
}
