/**
 * Shapes: how a value of a type is written as XML and read back, said once for both directions so that they cannot part.
 *
 * A field is a child element of its name, a list is an element around its items (so an empty list differs from an absent one), and all text
 * is in elements: attribute values lose their line breaks on the way (XML 1.0, section 3.3.3).
 */
import type { Places } from './places.js';
import { childOf, childrenOf, collapsed, type XmlTree } from './tree.js';

export interface Shape<Value> {
  write(name: string, value: Value, indent: string): string;
  /** Reads an element its schema found valid; every field met is noted under its JSON pointer. */
  read(element: XmlTree, pointer: string, places: Places): Value;
}

/** A text out of a closed list. Which list is the JSON Schema's business, which judges what is read here. */
export function word<Word extends string>(): Shape<Word> {
  return leaf(
    (value) => escaped(value),
    (content) => content as Word,
  );
}

export const text: Shape<string> = word<string>();

export const integer: Shape<number> = leaf(String, (content) => Number(collapsed(content)));

export const flag: Shape<boolean> = leaf(String, (content) => ['true', '1'].includes(collapsed(content)));

export function list<Item>(itemName: string, item: Shape<Item>): Shape<Item[]> {
  return {
    write: (name, values, indent) =>
      wrapped(
        name,
        indent,
        values.map((value) => item.write(itemName, value, `${indent}  `)),
      ),
    read: (element, pointer, places) => {
      places.set(pointer, element);
      return childrenOf(element, itemName).map((child, index) => item.read(child, `${pointer}/${index}`, places));
    },
  };
}

/** Every field of the type must have its shape here: a field added to the type does not compile until XML can say it too. */
export function record<Value extends object>(fields: {
  [Key in keyof Value]-?: Shape<Exclude<Value[Key], undefined>>;
}): Shape<Value> {
  const shapes = Object.entries(fields) as [string, Shape<unknown>][];
  return {
    write: (name, value, indent) =>
      wrapped(
        name,
        indent,
        shapes.flatMap(([field, shape]) => {
          const content = (value as Record<string, unknown>)[field];
          return content === undefined ? [] : [shape.write(field, content, `${indent}  `)];
        }),
      ),
    read: (element, pointer, places) => {
      places.set(pointer, element);
      return Object.fromEntries(
        shapes.flatMap(([field, shape]) => {
          const child = childOf(element, field);
          return child ? [[field, shape.read(child, `${pointer}/${field}`, places)]] : [];
        }),
      ) as Value;
    },
  };
}

interface Entry {
  key: string;
  value: string;
}

/** A map of texts. Keys are content here, never element names. */
export const textMap: Shape<Record<string, string>> = {
  write: (name, value, indent) =>
    entries.write(
      name,
      Object.entries(value).map(([key, content]) => ({ key, value: content })),
      indent,
    ),
  read: (element, pointer, places) =>
    Object.fromEntries(entries.read(element, pointer, places).map(({ key, value }) => [key, value])),
};

const entries = list<Entry>('entry', record<Entry>({ key: text, value: text }));

function leaf<Value>(toText: (value: Value) => string, fromText: (content: string) => Value): Shape<Value> {
  return {
    write: (name, value, indent) => `${indent}<${name}>${toText(value)}</${name}>\n`,
    read: (element, pointer, places) => {
      places.set(pointer, element);
      return fromText(element.text);
    },
  };
}

function wrapped(name: string, indent: string, parts: readonly string[]): string {
  return parts.length === 0 ? `${indent}<${name}/>\n` : `${indent}<${name}>\n${parts.join('')}${indent}</${name}>\n`;
}

const ESCAPES: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '\r': '&#13;' };

/** A carriage return is written by number: as it stands, a parser would read a line feed (XML 1.0, section 2.11). */
function escaped(content: string): string {
  return content.replace(/[&<>\r]/g, (character) => ESCAPES[character]!);
}
