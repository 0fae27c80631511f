/**
 * How a document is refused: as a value, one problem for each fault found, never an exception.
 *
 * A problem's message can be shown as it stands: it says where. `where` says the same for machines.
 */

export type ProblemCode =
  | 'DOCUMENT_EMPTY'
  | 'DOCUMENT_TOO_LARGE'
  | 'DOCUMENT_TOO_DEEP'
  | 'ENCODING_NOT_UTF8'
  | 'NUL_CHARACTER'
  | 'JSON_MALFORMED'
  | 'YAML_MALFORMED'
  | 'YAML_ALIAS_REFUSED'
  | 'YAML_TAG_REFUSED'
  | 'DUPLICATE_KEY'
  | 'UNSAFE_KEY'
  | 'XML_MALFORMED'
  | 'XML_DOCTYPE_REFUSED'
  | 'XML_UNKNOWN_ROOT'
  | 'XML_INVALID'
  | 'CLUSTER_NOT_A_WORKSPACE'
  | 'DEPLOYMENT_NOT_A_WORKSPACE'
  | 'FIELD_INVALID'
  | 'FIELDS_CONTRADICT'
  | 'TEXT_NOT_PORTABLE';

/**
 * Where in the document. Lines and columns count from 1; an XML element's line is the one on which its start tag ends, as libxml2 counts.
 * `element` is an XML name, `field` a JSON pointer (RFC 6901) into the description.
 */
export interface Where {
  line?: number;
  column?: number;
  element?: string;
  field?: string;
}

export interface DescriptionProblem {
  code: ProblemCode;
  message: string;
  where?: Where;
}

export interface Refused {
  ok: false;
  problems: DescriptionProblem[];
}

/** The problems one refusal lists at most: a document with more is read again after these are mended. */
const PROBLEMS_LISTED = 20;

export function problem(code: ProblemCode, text: string, where?: Where): DescriptionProblem {
  if (where === undefined) return { code, message: text };
  const place = spoken(where);
  return { code, message: place === '' ? text : `${place}: ${text}`, where };
}

export function refused(fault: DescriptionProblem): Refused {
  return { ok: false, problems: [fault] };
}

/** Refuses for the first of many faults. The rest are never put into words: a hostile document has as many as it has parts. */
export function refusedFor<Fault>(faults: Iterable<Fault>, inWords: (fault: Fault) => DescriptionProblem): Refused {
  const problems: DescriptionProblem[] = [];
  for (const fault of faults) {
    problems.push(inWords(fault));
    if (problems.length === PROBLEMS_LISTED) break;
  }
  return { ok: false, problems };
}

function spoken(where: Where): string {
  const parts: string[] = [];
  if (where.line !== undefined) parts.push(`line ${where.line}`);
  if (where.column !== undefined) parts.push(`column ${where.column}`);
  if (where.element !== undefined) parts.push(`element ${where.element}`);
  if (where.field !== undefined) parts.push(where.field === '' ? 'the document' : where.field);
  return parts.join(', ');
}

/** What stands in the document, short enough for a message. */
export function shown(value: unknown): string {
  if (value === null) return 'null';
  if (Array.isArray(value)) return 'a list';
  if (typeof value === 'object') return 'an object';
  const text = typeof value === 'number' ? value.toString() : (JSON.stringify(value) ?? 'nothing');
  return text.length > 60 ? `${text.slice(0, 57)}…` : text;
}
