/**
 * JSON (RFC 8259), read strictly. `JSON.parse` judges the grammar; what it lets pass in silence is found by a walk over the text it
 * accepted: a key given twice (the last would win, so a reader and a signer could see two documents), and `__proto__`.
 */
import { MAX_DEPTH, MAX_PARTS, positionOf } from './admission.js';
import { problem, refused, shown, type DescriptionProblem, type ProblemCode, type Where } from './problems.js';
import { OWN_REVISION, pointerTo, type Reading } from './reading.js';

export function readJson(text: string): Reading {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    return refused(malformed(cause));
  }
  const fault = firstFault(text);
  if (fault) return refused(fault);
  return { ok: true, value, revision: OWN_REVISION, notices: [], locate: (pointer) => locate(text, pointer) };
}

function malformed(cause: unknown): DescriptionProblem {
  const said = cause instanceof Error ? cause.message : String(cause);
  const place = /\(line (\d+) column (\d+)\)/.exec(said);
  const where = place ? { line: Number(place[1]), column: Number(place[2]) } : undefined;
  return problem('JSON_MALFORMED', said.split(' in JSON at ')[0]!.slice(0, 200), where);
}

function firstFault(text: string): DescriptionProblem | undefined {
  let parts = 0;
  for (const { path, offset, repeated } of values(text)) {
    parts += 1;
    const key = path.at(-1);
    const fault = (code: ProblemCode, message: string): DescriptionProblem =>
      problem(code, message, positionOf(text, offset));
    if (parts > MAX_PARTS) return fault('DOCUMENT_TOO_LARGE', `the document has more than ${MAX_PARTS} values`);
    if (path.length > MAX_DEPTH) return fault('DOCUMENT_TOO_DEEP', `values are nested more than ${MAX_DEPTH} deep`);
    if (key === '__proto__') return fault('UNSAFE_KEY', 'the key __proto__ is not taken');
    if (repeated) return fault('DUPLICATE_KEY', `the key ${shown(key)} is given twice`);
  }
  return undefined;
}

function locate(text: string, pointer: string): Where {
  let nearest = 0;
  let matched = -1;
  for (const { path, offset } of values(text)) {
    const here = pointerTo(path);
    if (here.length > matched && (pointer === here || pointer.startsWith(`${here}/`))) {
      nearest = offset;
      matched = here.length;
    }
  }
  return { ...positionOf(text, nearest), field: pointer };
}

interface PlacedValue {
  path: readonly (string | number)[];
  offset: number;
  /** Its key was already given in the same object. */
  repeated: boolean;
}

/** An object or a list that is open at this point of the walk. */
type Open = { kind: 'object'; keys: Set<string>; key: string; expectsKey: boolean } | { kind: 'list'; index: number };

/** Every value of a text that `JSON.parse` accepts, in order, with its path. The yielded path is only good until the next step. */
function* values(text: string): Generator<PlacedValue> {
  const open: Open[] = [];
  let repeated = false;
  for (const { token, offset } of tokens(text)) {
    const inside = open.at(-1);
    if (token === ',') {
      if (inside?.kind === 'list') inside.index += 1;
      if (inside?.kind === 'object') inside.expectsKey = true;
    } else if (token === '}' || token === ']') {
      open.pop();
    } else if (token === ':') {
      continue;
    } else if (inside?.kind === 'object' && inside.expectsKey) {
      inside.key = JSON.parse(token) as string;
      inside.expectsKey = false;
      repeated = inside.keys.has(inside.key);
      inside.keys.add(inside.key);
    } else {
      yield { path: open.map((level) => (level.kind === 'object' ? level.key : level.index)), offset, repeated };
      repeated = false;
      if (token === '{') open.push({ kind: 'object', keys: new Set(), key: '', expectsKey: true });
      if (token === '[') open.push({ kind: 'list', index: 0 });
    }
  }
}

/** Strings whole, punctuation singly, and numbers and words whole. */
function* tokens(text: string): Generator<{ token: string; offset: number }> {
  const word = /[^\s"[\]{}:,]+/y;
  let at = 0;
  while (at < text.length) {
    const character = text.charAt(at);
    if (' \t\n\r'.includes(character)) {
      at += 1;
      continue;
    }
    let end = at + 1;
    if (character === '"') {
      end = endOfString(text, at);
    } else if (!'[]{}:,'.includes(character)) {
      word.lastIndex = at;
      end = at + (word.exec(text)?.[0].length ?? 1);
    }
    yield { token: text.slice(at, end), offset: at };
    at = end;
  }
}

function endOfString(text: string, start: number): number {
  let at = start + 1;
  while (at < text.length && text.charAt(at) !== '"') at += text.charAt(at) === '\\' ? 2 : 1;
  return at + 1;
}
