/**
 * YAML 1.2, its core schema and nothing beyond: one document of maps with text keys, lists and scalars. A description is a tree, so
 * anchors and aliases have no use in it and are refused, which also ends every alias bomb; so are tags, which ask a reader to build things.
 *
 * The tokens are counted before anything is composed: the composer's time grows with the square of some inputs (a run of
 * anchors) and its stack with the nesting of others, and only the count bounds both.
 */
import {
  isAlias,
  isCollection,
  isMap,
  isNode,
  isPair,
  isScalar,
  Lexer,
  parseDocument,
  type Document,
  type Node,
  type YAMLError,
} from 'yaml';
import { MAX_DEPTH, MAX_PARTS, positionOf } from './admission.js';
import {
  problem,
  refused,
  refusedFor,
  shown,
  type DescriptionProblem,
  type ProblemCode,
  type Where,
} from './problems.js';
import { OWN_REVISION, type Reading } from './reading.js';

export function readYaml(text: string): Reading {
  if (hasTooManyTokens(text))
    return refused(problem('DOCUMENT_TOO_LARGE', `the document has more than ${MAX_PARTS} YAML tokens`));

  let document: Document.Parsed;
  try {
    document = parseDocument(text, {
      schema: 'core',
      version: '1.2',
      stringKeys: true,
      uniqueKeys: false,
      logLevel: 'error',
    });
  } catch (cause) {
    return refused(composerGaveUp(cause));
  }
  const fault = firstFault(document.contents, text);
  if (fault) return refused(fault);
  const complaints = [...document.errors, ...document.warnings];
  if (complaints.length > 0) return refusedFor(complaints, (complaint) => malformed(complaint, text));
  return {
    ok: true,
    value: document.toJS({ maxAliasCount: 0 }),
    revision: OWN_REVISION,
    notices: [],
    locate: (pointer) => locate(document, text, pointer),
  };
}

function hasTooManyTokens(text: string): boolean {
  let tokens = 0;
  for (const _ of new Lexer().lex(text)) {
    tokens += 1;
    if (tokens > MAX_PARTS) return true;
  }
  return false;
}

function malformed({ code, message, pos }: YAMLError, text: string): DescriptionProblem {
  const where = positionOf(text, pos[0]);
  const said = message.split(' at line ')[0]!.split('\n')[0]!.slice(0, 200);
  if (code === 'TAG_RESOLVE_FAILED') return problem('YAML_TAG_REFUSED', said, where);
  if (code === 'MULTIPLE_DOCS')
    return problem('YAML_MALFORMED', 'a second document begins; one description is one document', where);
  return problem('YAML_MALFORMED', said, where);
}

/** The composer recurses: nesting beyond the stack ends in a RangeError, which is the document's fault and not ours. */
function composerGaveUp(cause: unknown): DescriptionProblem {
  if (cause instanceof RangeError) return problem('DOCUMENT_TOO_DEEP', `values are nested more than ${MAX_DEPTH} deep`);
  return problem('YAML_MALFORMED', cause instanceof Error ? cause.message.slice(0, 200) : String(cause));
}

/** What is well-formed YAML and still not taken. Walks without recursion: the depth is one of the things it judges. */
function firstFault(root: unknown, text: string): DescriptionProblem | undefined {
  const pending: { node: unknown; depth: number }[] = [{ node: root, depth: 0 }];
  for (let next = pending.pop(); next; next = pending.pop()) {
    const { node, depth } = next;
    if (!isNode(node)) continue;
    if (depth > MAX_DEPTH) return at(node, text, 'DOCUMENT_TOO_DEEP', `values are nested more than ${MAX_DEPTH} deep`);
    const fault = nodeFault(node, text) ?? (isMap(node) ? keyFault(node.items, text) : undefined);
    if (fault) return fault;
    if (!isCollection(node)) continue;
    for (const item of node.items.toReversed())
      pending.push({ node: isPair(item) ? item.value : item, depth: depth + 1 });
  }
  return undefined;
}

function nodeFault(node: Node, text: string): DescriptionProblem | undefined {
  if (isAlias(node))
    return at(node, text, 'YAML_ALIAS_REFUSED', `the alias *${node.source} is not taken: a description is a tree`);
  if (node.anchor !== undefined) return at(node, text, 'YAML_ALIAS_REFUSED', `the anchor &${node.anchor} is not taken`);
  if (node.tag !== undefined && !isPlainTag(node.tag))
    return at(node, text, 'YAML_TAG_REFUSED', `the tag ${node.tag} is not taken`);
  return undefined;
}

/** The tags of JSON's own kinds of value say nothing that the core schema would not. */
function isPlainTag(tag: string): boolean {
  return /^tag:yaml\.org,2002:(map|seq|str|int|float|bool|null)$/.test(tag);
}

function keyFault(pairs: readonly { key: unknown }[], text: string): DescriptionProblem | undefined {
  const seen = new Set<string>();
  for (const { key } of pairs) {
    if (!isScalar(key)) continue; // said by the parser already
    const name = String(key.value);
    const fault = nodeFault(key, text);
    if (fault) return fault;
    if (name === '__proto__') return at(key, text, 'UNSAFE_KEY', 'the key __proto__ is not taken');
    if (seen.has(name)) return at(key, text, 'DUPLICATE_KEY', `the key ${shown(name)} is given twice`);
    seen.add(name);
  }
  return undefined;
}

function at(node: Node, text: string, code: ProblemCode, message: string): DescriptionProblem {
  return problem(code, message.slice(0, 200), positionOf(text, node.range?.[0] ?? 0));
}

function locate(document: Document.Parsed, text: string, pointer: string): Where {
  const steps = pointer
    .split('/')
    .slice(1)
    .map((step) => step.replaceAll('~1', '/').replaceAll('~0', '~'));
  let nearest: Node | null = document.contents;
  for (let length = steps.length; length > 0; length -= 1) {
    const node = document.getIn(steps.slice(0, length), true);
    if (!isNode(node)) continue;
    nearest = node;
    break;
  }
  return { ...positionOf(text, nearest?.range?.[0] ?? 0), field: pointer };
}
