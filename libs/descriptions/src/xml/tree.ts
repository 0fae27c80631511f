/** An XML element as plain data, so that the parser's memory is given back before anything is made of the document. */
import { XmlCData, XmlElement, XmlText } from 'libxml2-wasm';

export interface XmlTree {
  name: string;
  namespace: string;
  line: number;
  /** Attributes of no namespace. */
  attributes: ReadonlyMap<string, string>;
  /** It carries attributes of other vocabularies (declarations for the parser and the validator aside). */
  foreignAttributes: boolean;
  children: readonly XmlTree[];
  /** The element's own text and CDATA, its children's not included. */
  text: string;
}

const INSTANCE_NAMESPACE = 'http://www.w3.org/2001/XMLSchema-instance';

/** Recursion is bounded by the parser's own limit of 256 levels. */
export function treeOf(element: XmlElement): XmlTree {
  const children: XmlTree[] = [];
  let text = '';
  for (let node = element.firstChild; node !== null; node = node.next) {
    if (node instanceof XmlElement) children.push(treeOf(node));
    if (node instanceof XmlText || node instanceof XmlCData) text += node.content;
  }
  const attributes = element.attrs;
  return {
    name: element.name,
    namespace: element.namespaceUri,
    line: element.line,
    attributes: new Map(
      attributes.filter((attribute) => attribute.namespaceUri === '').map(({ name, value }) => [name, value]),
    ),
    foreignAttributes: attributes.some(
      ({ namespaceUri }) => namespaceUri !== '' && namespaceUri !== INSTANCE_NAMESPACE,
    ),
    children,
    text,
  };
}

export function childrenOf(tree: XmlTree | undefined, name: string): readonly XmlTree[] {
  return tree?.children.filter((child) => child.name === name) ?? [];
}

export function childOf(tree: XmlTree | undefined, name: string): XmlTree | undefined {
  return tree?.children.find((child) => child.name === name);
}

export function textOf(tree: XmlTree | undefined, name: string): string | undefined {
  return childOf(tree, name)?.text;
}

/** XML Schema part 2, 4.3.6: the whitespace of `anyURI`, numbers and booleans means nothing. */
export function collapsed(text: string): string {
  return text.replace(/[\t\n\r ]+/g, ' ').replace(/^ | $/g, '');
}
