/**
 * Documents that are a few steps from a valid one: the questions on which two schemas of one vocabulary would part.
 *
 * The steps know the vocabulary (every element and type name of our own XSDs), because a step outside it is refused by any schema
 * and tells nothing. Deterministic: the same document and seed give the same mutants everywhere.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { XMLParser } from 'fast-xml-parser';
import { packageRoot } from '@vw/runtime';

export const XSD_FOLDER = join(packageRoot(), 'schemas', 'xsd');

interface Element {
  name: string;
  attributes: Map<string, string>;
  children: (Element | string)[];
}

/** Prefixes every mutant can use, beside the document's own. */
const PREFIXES = {
  mvw: { namespace: 'http://www.globus.org/2008/06/workspace/metadata', file: 'virtual-workspace.xsd' },
  mdef: { namespace: 'http://www.globus.org/2008/06/workspace/metadata/definition', file: 'definition.xsd' },
  mlog: { namespace: 'http://www.globus.org/2008/06/workspace/metadata/logistics', file: 'logistics.xsd' },
  mneg: { namespace: 'http://www.globus.org/2008/06/workspace/negotiable', file: 'negotiable.xsd' },
  mjsdl: { namespace: 'http://schemas.ggf.org/jsdl/2005/11/jsdl', file: 'jsdl.xsd' },
  msite: { namespace: 'urn:example:site', file: undefined },
  xsi: { namespace: 'http://www.w3.org/2001/XMLSchema-instance', file: undefined },
} as const;

const NAMES = { element: namesOf('element'), attribute: namesOf('attribute'), type: namesOf('(?:complex|simple)Type') };

function namesOf(kind: string): string[] {
  return Object.entries(PREFIXES).flatMap(([prefix, { file }]) => {
    if (file === undefined) return [];
    const schema = readFileSync(join(XSD_FOLDER, file), 'utf8');
    return [...schema.matchAll(new RegExp(`<xs:${kind} name="([^"]+)"`, 'g'))].map((match) => `${prefix}:${match[1]}`);
  });
}

/** Texts on both sides of the lexical lines the schemas draw: enumerations, lengths, numbers, durations, URIs, booleans. */
const TEXTS = [
  ['', ' ', ' x ', 'x', '0', '1', '-1', '+2', '32767', '32768', '007', '1.5', '1e3', 'INF', '-INF', 'NaN', '0x10'],
  ['true', 'false', '1 ', 'TRUE', 'yes', 'PT30M', 'P1Y2M3DT4H', 'P', '30', '-P1D', 'PT', ' PT5S '],
  ['00:11:22:33:44:55', '00:11:22:33:44:5', '00:11:22:33:44:556', 'zzzzzzzzzzzzzzzzz'],
  [
    'Xen',
    'VMware',
    'xen',
    'KVM',
    'ReadOnly',
    'ReadWrite',
    'Readonly',
    'AllocateAndConfigure',
    'AcceptAndConfigure',
    'Advisory',
  ],
  ['Running', 'Paused', 'Propagated', 'Unpropagated', 'Unstaged', 'Stopped', 'Trash', 'Serialize', 'Normal'],
  [
    'x86',
    'x86_32',
    'x86_64',
    'sparc',
    'powerpc',
    'parisc',
    'mips',
    'ia64',
    'arm',
    'other',
    'riscv',
    'LINUX',
    'Solaris',
    'linux',
  ],
  ['http://example.org/a b', 'http://[', '%zz', '::', 'file://x', 'a#b#c', 'é', 'overwrite', 'normal'],
].flat();

/**
 * Every document one plain step away: each element left out, alone and with all of its name, doubled, and moved last; each text in each leaf
 * and each attribute; each attribute left out.
 */
export function* neighboursOf(document: string): Generator<string> {
  const root = parse(document);
  for (const { element, parent } of everyElement(root)) {
    if (parent) {
      const { children } = parent;
      const others = children.filter((child) => child !== element);
      const unlike = children.filter((child) => typeof child === 'string' || child.name !== element.name);
      const doubled = children.flatMap((child) => (child === element ? [element, element] : [child]));
      for (const changed of [others, unlike, doubled, [...others, element]]) {
        parent.children = changed;
        yield serialise(root);
      }
      parent.children = children;
    }
    if (isLeaf(element)) {
      const { children } = element;
      for (const text of TEXTS) {
        element.children = [text];
        yield serialise(root);
      }
      element.children = children;
    }
    const attributes = [...element.attributes].filter(([name]) => !name.startsWith('xmlns'));
    for (const [name, value] of attributes) {
      for (const text of TEXTS) {
        element.attributes.set(name, text);
        yield serialise(root);
      }
      element.attributes.delete(name);
      yield serialise(root);
      element.attributes.set(name, value);
    }
  }
}

function isLeaf(element: Element): boolean {
  return element.children.every((child) => typeof child === 'string');
}

/** `count` mutants of the document, one to three steps away. */
export function* mutantsOf(document: string, seed: number, count: number): Generator<string> {
  const chance = new Chance(seed);
  for (let made = 0; made < count; made += 1) {
    const root = parse(document);
    for (const [prefix, { namespace }] of Object.entries(PREFIXES)) root.attributes.set(`xmlns:${prefix}`, namespace);
    const steps = chance.below(3) + 1;
    for (let step = 0; step < steps; step += 1) mutate(root, chance);
    yield serialise(root);
  }
}

function mutate(root: Element, chance: Chance): void {
  const all = everyElement(root);
  const { element, parent } = chance.oneOf(all);
  const siblings = parent?.children ?? [];
  const at = siblings.indexOf(element);
  switch (chance.below(15)) {
    case 0:
      siblings.splice(at, 1);
      return;
    case 1:
      siblings.splice(at, 0, structuredClone(element));
      return;
    case 2:
      if (at >= 0) siblings.push(...siblings.splice(at, 1));
      return;
    case 3:
      if (at >= 0) siblings.unshift(...siblings.splice(at, 1));
      return;
    case 4:
      element.name = chance.oneOf(NAMES.element);
      return;
    case 5:
      element.name = inAnotherNamespace(element.name, chance);
      return;
    case 6:
      element.children = [chance.oneOf(TEXTS)];
      return;
    case 7:
    case 8: {
      // A leaf's text is where enumerations and numbers are: worth asking twice.
      const leaf = chance.oneOf(
        all.filter((one) => one.element.children.every((child) => typeof child === 'string')),
      ).element;
      leaf.children = [chance.oneOf(TEXTS)];
      return;
    }
    case 9:
      element.attributes.set(attributeName(chance), chance.oneOf(TEXTS));
      return;
    case 10:
      element.attributes.set('xsi:type', chance.oneOf([...NAMES.type, 'mlog:unknown']));
      return;
    case 11:
      element.attributes.delete(chance.oneOf([...element.attributes.keys(), 'none']));
      return;
    case 12: {
      const content = chance.oneOf([[], [chance.oneOf(TEXTS)], [element.children[0] ?? '']]);
      const inserted = {
        name: chance.oneOf(NAMES.element),
        attributes: new Map<string, string>(),
        children: structuredClone(content),
      };
      element.children.splice(chance.below(element.children.length + 1), 0, inserted);
      return;
    }
    case 13: {
      // What a wildcard lets in: an unknown element, perhaps around a known one.
      const known = {
        name: chance.oneOf(NAMES.element),
        attributes: new Map<string, string>(),
        children: [chance.oneOf(TEXTS)],
      };
      const foreign = {
        name: 'msite:extra',
        attributes: new Map<string, string>(),
        children: chance.oneOf([[], [known], ['x']]),
      };
      element.children.push(chance.oneOf([foreign, known]));
      return;
    }
    default: {
      const target = chance.oneOf(all).element;
      if (at < 0 || everyElement(element).some((one) => one.element === target)) return;
      siblings.splice(at, 1);
      target.children.push(element);
    }
  }
}

function attributeName(chance: Chance): string {
  const unqualified = NAMES.attribute.map((name) => name.split(':')[1]!);
  return chance.oneOf([
    ...unqualified,
    ...NAMES.attribute,
    'extra',
    'msite:extra',
    'xsi:nil',
    'xml:lang',
    'xsi:schemaLocation',
  ]);
}

function inAnotherNamespace(name: string, chance: Chance): string {
  const local = name.split(':').at(-1)!;
  return chance.oneOf([local, ...Object.keys(PREFIXES).map((prefix) => `${prefix}:${local}`)]);
}

function everyElement(root: Element, parent?: Element): { element: Element; parent: Element | undefined }[] {
  const below = root.children
    .filter((child) => typeof child !== 'string')
    .flatMap((child) => everyElement(child, root));
  return [{ element: root, parent }, ...below];
}

type ParsedNode = Record<string, ParsedNode[] | string | Record<string, string>>;

function parse(document: string): Element {
  const parser = new XMLParser({
    preserveOrder: true,
    ignoreAttributes: false,
    attributeNamePrefix: '',
    parseTagValue: false,
  });
  const roots = (parser.parse(document) as ParsedNode[]).map(fromParsed);
  const root = roots.find((node) => typeof node !== 'string' && !node.name.startsWith('?'));
  if (root === undefined || typeof root === 'string') throw new Error('the document has no root element');
  return root;
}

function fromParsed(node: ParsedNode): Element | string {
  const name = Object.keys(node).find((key) => key !== ':@')!;
  if (name === '#text') return String(node[name]);
  return {
    name,
    attributes: new Map(Object.entries((node[':@'] ?? {}) as Record<string, string>)),
    children: (node[name] as ParsedNode[]).map(fromParsed),
  };
}

function serialise(node: Element | string): string {
  if (typeof node === 'string') return escaped(node);
  const attributes = [...node.attributes].map(([name, value]) => ` ${name}="${escaped(value)}"`).join('');
  return `<${node.name}${attributes}>${node.children.map(serialise).join('')}</${node.name}>`;
}

function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;');
}

/** A small generator with a seed (mulberry32), so that a mutant can be named by its document, seed and number. */
class Chance {
  #state: number;

  constructor(seed: number) {
    this.#state = seed;
  }

  below(bound: number): number {
    this.#state = (this.#state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(this.#state ^ (this.#state >>> 15), 1 | this.#state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32) * bound);
  }

  oneOf<Item>(items: readonly Item[]): Item {
    return items[this.below(items.length)]!;
  }
}
