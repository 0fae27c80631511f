/** Documents made to hurt: each is answered with a refusal, in bounded time, and never with an exception. */
import * as fc from 'fast-check';
import { diag } from 'libxml2-wasm';
import { describe, expect, it } from 'vitest';
import { MAX_DOCUMENT_BYTES, parseDescription, type FormatHint } from './index.js';

const OWN = 'xmlns="urn:workspace-ledger:description:1"';
const METADATA = 'http://www.globus.org/2008/06/workspace/metadata';

function entityBomb(): string {
  const levels = Array.from({ length: 9 }, (_, level) => `<!ENTITY e${level + 1} "${`&e${level};`.repeat(10)}">`);
  return `<!DOCTYPE workspace [<!ENTITY e0 "ha">${levels.join('')}]><workspace ${OWN}><name>&e9;</name></workspace>`;
}

function aliasBomb(): string {
  const levels = Array.from({ length: 9 }, (_, level) => `a${level + 1}: &a${level + 1} [${`*a${level},`.repeat(9)}]`);
  return ['a0: &a0 ha', ...levels].join('\n');
}

const HOSTILE: readonly [what: string, code: string, document: string | Uint8Array, hint?: FormatHint][] = [
  ['nothing', 'DOCUMENT_EMPTY', ''],
  ['white space', 'DOCUMENT_EMPTY', ' \n\t'],
  ['two MiB', 'DOCUMENT_TOO_LARGE', 'a'.repeat(2 * 1024 * 1024)],
  ['one byte too many', 'DOCUMENT_TOO_LARGE', new Uint8Array(MAX_DOCUMENT_BYTES + 1)],
  ['bytes that are not UTF-8', 'ENCODING_NOT_UTF8', Uint8Array.of(0x6e, 0x3a, 0x20, 0xc3, 0x28)],
  ['an overlong encoding of a slash', 'ENCODING_NOT_UTF8', Uint8Array.of(0x6e, 0x3a, 0x20, 0xc0, 0xaf)],
  ['half a surrogate pair', 'ENCODING_NOT_UTF8', 'name: \ud800'],
  ['NUL', 'NUL_CHARACTER', 'name: a\0b'],
  ['UTF-16 with its mark', 'ENCODING_NOT_UTF8', Buffer.from('\ufeff<!DOCTYPE a><a/>', 'utf16le')],
  ['UTF-16 without its mark', 'NUL_CHARACTER', Buffer.from('<!DOCTYPE a><a/>', 'utf16le')],
  ['UTF-32 with its mark', 'ENCODING_NOT_UTF8', Uint8Array.of(0xff, 0xfe, 0, 0, 0x3c, 0, 0, 0)],
  ['XML that says it is in UTF-7', 'ENCODING_NOT_UTF8', '<?xml version="1.0" encoding="UTF-7"?><a/>'],
  ['a document type', 'XML_DOCTYPE_REFUSED', `<!DOCTYPE workspace><workspace ${OWN}><name>a</name></workspace>`],
  [
    'a document type behind a comment and an instruction',
    'XML_DOCTYPE_REFUSED',
    '<?xml version="1.0"?><!-- a --><?b?>\n<!DOCTYPE c><c/>',
  ],
  ['a document type in small letters', 'XML_DOCTYPE_REFUSED', '<!doctype html><html/>'],
  ['a document type inside the root', 'XML_MALFORMED', `<workspace ${OWN}><!DOCTYPE a><name>a</name></workspace>`],
  [
    'an external entity',
    'XML_DOCTYPE_REFUSED',
    `<!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/passwd">]><workspace ${OWN}><name>&b;</name></workspace>`,
  ],
  ['an entity bomb', 'XML_DOCTYPE_REFUSED', entityBomb()],
  ['an entity nobody declared', 'XML_MALFORMED', `<workspace ${OWN}><name>&b;</name></workspace>`],
  ['a hundred thousand nested elements', 'DOCUMENT_TOO_LARGE', '<a>'.repeat(100_000) + '</a>'.repeat(100_000)],
  ['five thousand nested elements', 'DOCUMENT_TOO_DEEP', '<a>'.repeat(5000) + '</a>'.repeat(5000)],
  ['an unclosed comment', 'XML_MALFORMED', `<!--${'<'.repeat(1000)}`],
  ['a YAML alias bomb', 'YAML_ALIAS_REFUSED', aliasBomb()],
  ['a YAML anchor that nobody uses', 'YAML_ALIAS_REFUSED', 'name: &a hello'],
  ['a YAML function', 'YAML_TAG_REFUSED', 'name: !!js/function "function () { return 1 }"'],
  ['a YAML tag of its own', 'YAML_TAG_REFUSED', 'name: !secret hello'],
  ['YAML in binary', 'YAML_TAG_REFUSED', 'name: !!binary aGVsbG8='],
  ['a run of YAML anchors', 'DOCUMENT_TOO_LARGE', '&a '.repeat(300_000)],
  ['a YAML map key that is a list', 'YAML_MALFORMED', '? [a, b]\n: c'],
  ['two YAML documents', 'YAML_MALFORMED', 'name: a\n---\nname: b'],
  ['deep YAML', 'DOCUMENT_TOO_DEEP', `a: ${'['.repeat(100)}${']'.repeat(100)}`],
  ['very deep YAML', 'DOCUMENT_TOO_DEEP', '- '.repeat(4500)],
  ['a YAML key given twice', 'DUPLICATE_KEY', 'name: a\nname: b'],
  ['a YAML prototype', 'UNSAFE_KEY', 'name: a\n__proto__: { polluted: true }'],
  ['a JSON key given twice', 'DUPLICATE_KEY', '{"name":"a","name":"b"}'],
  ['a JSON key given twice in other letters', 'DUPLICATE_KEY', '{"name":"a","n\\u0061me":"b"}'],
  ['a JSON prototype', 'UNSAFE_KEY', '{"name":"a","__proto__":{"polluted":true}}'],
  [
    'a JSON prototype in a map of texts',
    'UNSAFE_KEY',
    '{"name":"a","contextualization":{"provides":{"identities":[{"__proto__":"b"}],"roles":[]}}}',
  ],
  [
    'an XML prototype in a map of texts',
    'UNSAFE_KEY',
    `<workspace ${OWN}><name>a</name><contextualization><provides><identities><identity><entry><key>__proto__</key><value>b</value></entry></identity></identities><roles/></provides></contextualization></workspace>`,
  ],
  ['deep JSON', 'DOCUMENT_TOO_DEEP', '['.repeat(100) + ']'.repeat(100)],
  ['very deep JSON', 'DOCUMENT_TOO_DEEP', '['.repeat(400_000) + ']'.repeat(400_000)],
  ['half a million JSON values', 'DOCUMENT_TOO_LARGE', `[${'0,'.repeat(500_000)}0]`],
  [
    'a JSON number of a million digits',
    'FIELD_INVALID',
    `{"name":"a","requirements":{"cpus":{"min":${'9'.repeat(1_000_000)}}}}`,
  ],
  [
    'a YAML number of a million digits',
    'FIELD_INVALID',
    `name: a\nrequirements: { cpus: { min: ${'9'.repeat(1_000_000)} } }`,
  ],
  [
    'an XML number of a million digits',
    'FIELD_INVALID',
    `<workspace ${OWN}><name>a</name><requirements><cpus><min>${'9'.repeat(1_000_000)}</min></cpus></requirements></workspace>`,
  ],
  ['a name of a million letters', 'FIELD_INVALID', `name: ${'a'.repeat(1_000_000)}`],
  ['no map at all', 'FIELD_INVALID', '- a\n- b'],
  ['null', 'FIELD_INVALID', 'null', { contentType: 'application/json' }],
];

describe('hostile input', () => {
  it.each(HOSTILE)('%s is refused as %s', (_what, code, document, hint) => {
    const parsed = parseDescription(document, hint);
    expect(parsed).toMatchObject({ ok: false, problems: expect.arrayContaining([expect.objectContaining({ code })]) });
    expect(Object.prototype).not.toHaveProperty('polluted');
  });

  it('does not make the refusal long', () => {
    const nics = '<l:nic/>'.repeat(3000);
    const parsed = parseDescription(
      `<VirtualWorkspace xmlns="${METADATA}" xmlns:l="${METADATA}/logistics"><name>a</name><l:logistics><l:networking>${nics}</l:networking></l:logistics></VirtualWorkspace>`,
    );
    expect(!parsed.ok && parsed.problems.length).toBe(20);
  });

  it('is answered in bounded time, however many faults it has', { timeout: 10_000 }, () => {
    const disks = '<disk a="1" b="2"/>\n'.repeat(3000);
    const role = (_: unknown, index: number) => ({ name: `\u0001${index}` });
    const manyFaults = [
      `<workspace ${OWN}><name>a</name><disks>${disks}</disks></workspace>`,
      JSON.stringify({
        name: 'a',
        contextualization: { provides: { identities: [], roles: Array.from({ length: 4000 }, role) } },
      }),
      `{"name":"a","disks":[${'{"role":1},\n'.repeat(4500)}0]}`,
      `name: a\ndisks:\n${' - {role: 1}\n'.repeat(600)}`,
    ];
    for (const document of manyFaults) {
      const parsed = parseDescription(document);
      expect(!parsed.ok && parsed.problems.length).toBe(20);
    }
  });

  it('does not follow a schema location', () => {
    const xsi = `xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:schemaLocation="${METADATA} http://127.0.0.1:1/a.xsd urn:b file:///etc/passwd"`;
    expect(
      parseDescription(`<VirtualWorkspace xmlns="${METADATA}" ${xsi}><name>a</name></VirtualWorkspace>`),
    ).toMatchObject({ ok: true });
  });

  it('takes the word DOCTYPE where it is only text', () => {
    const script = '<![CDATA[cat <<END\n<!DOCTYPE html>\nEND\n]]>';
    const parsed = parseDescription(
      `<!-- <!DOCTYPE a> --><workspace ${OWN}><name>a</name><requirements><kernel><parameters>${script}</parameters></kernel></requirements></workspace>`,
    );
    expect(parsed).toMatchObject({
      ok: true,
      description: { requirements: { kernel: { parameters: 'cat <<END\n<!DOCTYPE html>\nEND\n' } } },
    });
  });
});

describe('whatever the input', () => {
  const hints = fc.constantFrom<FormatHint | undefined>(
    undefined,
    { filename: 'a.json' },
    { filename: 'a.yaml' },
    { filename: 'a.xml' },
  );

  it('bytes are answered, not thrown at', () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ maxLength: 64 }),
        hints,
        (bytes, hint) => typeof parseDescription(bytes, hint).ok === 'boolean',
      ),
    );
  });

  it('texts are answered, not thrown at', () => {
    const pieces = fc.constantFrom(
      ...[
        [
          '<',
          '>',
          '/',
          '<!',
          '<![CDATA[',
          ']]>',
          '<?xml ',
          '?>',
          '<!--',
          '-->',
          '&#',
          ';',
          '"',
          "'",
          '=',
          'workspace',
          'name',
          OWN,
        ],
        [
          '{',
          '}',
          '[',
          ']',
          ',',
          ':',
          ': ',
          '- ',
          '? ',
          '\n',
          '  ',
          '|',
          '>-',
          '&a',
          '*a',
          '!!',
          '%YAML',
          '---',
          '...',
          '\\',
          '\\u',
          '#',
        ],
        ['null', '1e9', '0x', '~', '__proto__', 'constructor', '\u2028', '\ufeff', '\u0085', '😀'],
      ].flat(),
    );
    fc.assert(
      fc.property(
        fc.array(pieces, { maxLength: 30 }),
        hints,
        (parts, hint) => typeof parseDescription(parts.join(''), hint).ok === 'boolean',
      ),
      { numRuns: 1000 },
    );
  });

  it('JSON values of any shape are answered, not thrown at', () => {
    const fields = fc.constantFrom(
      'name',
      'category',
      'requirements',
      'disks',
      'network',
      'nics',
      'cpus',
      'min',
      '__proto__',
      'toString',
    );
    const { value } = fc.letrec((tie) => ({
      value: fc.oneof(
        { depthSize: 'small' },
        fc.jsonValue(),
        fc.dictionary(fields, tie('value')),
        fc.array(tie('value'), { maxLength: 3 }),
      ),
    }));
    fc.assert(fc.property(value, (any) => typeof parseDescription(JSON.stringify(any)).ok === 'boolean'));
  });
});

describe('the XML parser', () => {
  it('is given its memory back, whatever the verdict', () => {
    parseDescription(`<workspace ${OWN}><name>a</name></workspace>`);
    diag.configure({ enabled: true });
    try {
      for (const text of [
        `<workspace ${OWN}><name>a</name></workspace>`,
        `<workspace ${OWN}/>`,
        '<a/>',
        '<a>',
        `<workspace ${OWN}><name/></workspace>`,
      ]) {
        parseDescription(text);
      }
      expect(diag.report()).toEqual({});
    } finally {
      diag.configure({ enabled: false });
    }
  });
});
