import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { linearPattern } from './pattern.js';

/** Patterns that mean the same to JavaScript's own engine, written so that it does not backtrack for long on short texts. */
const atom = fc.constantFrom(
  'a',
  'b',
  '-',
  '.',
  '[ab]',
  '[^a]',
  '\\d',
  '\\w',
  '\\b',
  '\\B',
  '^',
  '$',
  '\\$',
  '\\x61',
  '(?:a|b-)',
);
const quantified = fc
  .tuple(atom, fc.constantFrom('', '', '*', '+', '?', '*?', '{2}', '{1,}', '{0,2}'))
  .filter(([atom, times]) => times === '' || !/^(?:\^|\$|\\b|\\B)$/.test(atom))
  .map((parts) => parts.join(''));
const sequence = fc.array(quantified, { maxLength: 5 }).map((parts) => parts.join(''));
const pattern = fc.array(sequence, { minLength: 1, maxLength: 3 }).map((parts) => parts.join('|'));
const text = fc.string({ unit: fc.constantFrom('a', 'b', '-', '$', '1', ' '), maxLength: 12 });

describe('a pattern', () => {
  it('matches what the engine of the language matches', () => {
    fc.assert(
      fc.property(pattern, fc.array(text, { minLength: 1, maxLength: 5 }), (source, texts) => {
        const matches = linearPattern(source);
        const native = new RegExp(source);
        for (const text of texts) expect([source, text, matches(text)]).toEqual([source, text, native.test(text)]);
      }),
      { numRuns: 2000 },
    );
  });

  it.each([
    ['^[^\\$].*', 'workspace-1', true],
    ['^[^\\$].*', '$$workspace-1', false],
    ['^(workspace|host)-[0-9a-f-]{36}$', 'host-0190a5b8-ffee-7ddc-8bba-fedcba987654', true],
    ['^(?:workspace|host)-\\d+$', 'image-1', false],
    ['(?i)STARTED$', 'WorkspaceStarted', true],
    ['a(?i)b', 'aB', true],
    ['(?<name>a)b', 'xab', true],
    ['\\p{Lu}$', 'straßE', true],
    ['[\\]\\-]', '-', true],
    ['a{,2}', 'a{,2}', true],
    ['', 'anything', true],
  ])('%s on %s: %s', (source, text, expected) => {
    expect(linearPattern(source)(text)).toBe(expected);
  });

  it.each(['(a+)+$', '^(a*)*$', '^(a|a)*$', '(a|aa)+$', '(.*a){20}$', '^(([a-z])+.)+[A-Z]([a-z])+$'])(
    '%s takes time in proportion to the text',
    (source) => {
      const started = performance.now();
      expect(linearPattern(source)(`${'a'.repeat(20_000)}!`)).toBe(false);
      expect(performance.now() - started).toBeLessThan(2_000);
    },
  );

  it.each([
    '(',
    ')',
    'a)',
    '[',
    '[]',
    'a**',
    'a+*',
    'a{2}{3}',
    '*',
    '\\',
    '\\y',
    'a{3,2}',
    '[b-a]',
    '(?=a)',
    '(?!a)',
    '(?<=a)',
    '(?<!a)',
    '(?>a)',
    '(a)\\1',
    '\\k<n>',
    '[a-z-[b]]',
    'a{9999}',
    '((((a{9}){9}){9}){9})',
    '((((){9999}){9999}){9999})',
    'a'.repeat(513),
  ])('is refused: %s', (source) => {
    expect(() => linearPattern(source)).toThrow(RangeError);
  });

  it('keeps a bounded memory of texts that never repeat', () => {
    const matches = linearPattern('(a|b|.)*c.{0,60}d$');
    for (let n = 0; n < 2_000; n += 1) matches(`${n.toString(36)}c${String.fromCodePoint(0x4e00 + n)}${n}`);
    expect(matches('xxcyyd')).toBe(true);
    expect(matches('xxcyye')).toBe(false);
  });
});
