/**
 * XML brought in safely. A document type declaration is refused before the parser runs: external entities and entity bombs need one.
 * The parser gets no loader besides (no network, no files, no catalogue), so the refusal is not the only lock.
 */
import { ParseOption, XmlDocument, XmlParseError, type ErrorDetail } from 'libxml2-wasm';
import { MAX_PARTS, positionOf } from '../admission.js';
import { problem, refused, refusedFor, type DescriptionProblem, type Refused } from '../problems.js';

const OPTIONS = ParseOption.XML_PARSE_NO_XXE | ParseOption.XML_PARSE_NONET | ParseOption.XML_PARSE_NO_SYS_CATALOG;

/** Parses, lends the document to `use`, and frees it whatever happens. */
export function withXml<Outcome>(text: string, use: (document: XmlDocument) => Outcome): Outcome | Refused {
  const fault = prologFault(text) ?? sizeFault(text);
  if (fault) return refused(fault);
  const parsed = parse(text);
  if (!(parsed instanceof XmlDocument)) return parsed;
  try {
    return use(parsed);
  } finally {
    parsed.dispose();
  }
}

function parse(text: string): XmlDocument | Refused {
  try {
    return XmlDocument.fromString(text, { option: OPTIONS });
  } catch (cause) {
    if (!(cause instanceof XmlParseError)) throw cause;
    const faults = cause.details.filter(({ level }) => level > 1);
    return refusedFor(faults, malformed);
  }
}

function malformed(detail: ErrorDetail): DescriptionProblem {
  const where = { line: detail.line, column: detail.col };
  if (detail.message.startsWith('Excessive depth'))
    return problem('DOCUMENT_TOO_DEEP', 'elements are nested more than 256 deep', where);
  return problem('XML_MALFORMED', detail.message.trim().slice(0, 200), where);
}

/** Only before its root element can a document have an encoding or a document type; `<!` there that is no comment is a declaration. */
function prologFault(text: string): DescriptionProblem | undefined {
  const encoding = /^<\?xml\s[^>]*?encoding\s*=\s*["']([^"']*)["']/.exec(text.slice(0, 256))?.[1];
  if (encoding !== undefined && encoding.toLowerCase() !== 'utf-8') {
    return problem('ENCODING_NOT_UTF8', `the document says it is in ${encoding}; only UTF-8 is read`, { line: 1 });
  }
  let at = 0;
  for (;;) {
    while (/[\t\n\r ]/.test(text.charAt(at))) at += 1;
    if (text.startsWith('<?', at)) at = after(text, '?>', at);
    else if (text.startsWith('<!--', at)) at = after(text, '-->', at + 4);
    else if (text.startsWith('<!', at)) {
      return problem('XML_DOCTYPE_REFUSED', 'a document type declaration (DOCTYPE) is not taken', positionOf(text, at));
    } else return undefined;
  }
}

function after(text: string, end: string, from: number): number {
  const at = text.indexOf(end, from);
  return at === -1 ? text.length : at + end.length;
}

/** Tags and attributes both: the validator notes each fault with a path that counts the siblings before it. */
function sizeFault(text: string): DescriptionProblem | undefined {
  const parts = countOf(text, '<') + countOf(text, '=');
  if (parts <= MAX_PARTS) return undefined;
  return problem('DOCUMENT_TOO_LARGE', `the document has more than ${MAX_PARTS} tags and attributes`);
}

function countOf(text: string, character: string): number {
  let count = 0;
  for (let at = text.indexOf(character); at !== -1; at = text.indexOf(character, at + 1)) count += 1;
  return count;
}
