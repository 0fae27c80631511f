import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { packageRoot } from '@vw/runtime';
import { descriptionToXml, parseDescription, type ParsedDescription } from './index.js';

const SAMPLES = join(packageRoot(), 'schemas', 'samples', 'descriptions');

const root = { role: 'root', location: 'image:heartbeat' };
const part = { role: 'partition', location: 'image:heartbeat' };

function sample(name: string): ParsedDescription {
  return parseDescription(readFileSync(join(SAMPLES, name)), { filename: name });
}

describe('a description that says little', () => {
  it('is a virtual machine with the heartbeat guest and no network', () => {
    expect(sample('minimal.yaml')).toEqual({
      ok: true,
      format: 'yaml',
      revision: 'urn:workspace-ledger:description:1',
      notices: [],
      description: {
        category: 'virtual-machine',
        name: 'hello',
        requirements: {},
        disks: [{ role: 'root', location: 'image:heartbeat' }],
        network: { nics: [] },
      },
    });
  });

  it('means the same in every form', () => {
    const forms = [
      'name: hello',
      '{"name":"hello"}',
      '<workspace xmlns="urn:workspace-ledger:description:1"><name>hello</name></workspace>',
    ];
    const [first, ...others] = forms.map((form) => described(parseDescription(form)));
    for (const other of others) expect(other).toEqual(first);
  });

  it('gives an account no disk', () => {
    expect(described(sample('account.yaml'))).toMatchObject({ category: 'dynamic-account', disks: [] });
  });

  it('fills nothing in for a field that is there and wrong', () => {
    expect(parseDescription('name: hello\ndisks:\n')).toMatchObject({
      ok: false,
      problems: [{ code: 'FIELD_INVALID', where: { line: 2, field: '/disks' } }],
    });
  });
});

describe('the samples', () => {
  it('are one description in YAML, JSON and our own XML', () => {
    const yaml = described(sample('heartbeat.yaml'));
    expect(described(sample('heartbeat.json'))).toEqual(yaml);
    expect(described(sample('heartbeat-own.xml'))).toEqual(yaml);
    expect(yaml).toMatchObject({
      requirements: { memoryMiB: { min: 16, max: 64 } },
      capabilities: ['pause', 'hot-image', 'serial-console'],
    });
  });

  it('keep every part of the published vocabulary', () => {
    expect(sample('full.xml')).toMatchObject({
      ok: true,
      revision: 'http://www.globus.org/2008/06/workspace/metadata',
      notices: [expect.stringContaining('generation')],
      description: {
        name: 'https://grid.example.org/workspaces/assembly-7',
        requirements: {
          architecture: 'x86_64',
          vmm: { type: 'vmware', versions: ['5', '5.5'] },
          kernel: { minVersion: '2.6.18', maxVersion: '2.6.32', parameters: 'console=ttyS0 quiet' },
        },
        disks: [
          { role: 'root', location: 'file://assembly-root', mountAs: 'sda1', readOnly: false },
          { role: 'partition', location: 'gsiftp://data.example.org/genomes.img', mountAs: 'sdb1', readOnly: true },
          { role: 'blank', name: 'scratch', mountAs: 'sdc1' },
          { role: 'ram', location: 'file://assembly-ram' },
          { role: 'swap', location: 'file://assembly-swap', mountAs: 'sdd1' },
        ],
        network: {
          nics: [
            {
              name: 'outside',
              mac: '52:54:00:a0:b1:07',
              acquisition: 'accept',
              hostname: 'assembly-7.example.org',
              address: '192.0.2.17',
              netmask: '255.255.255.0',
              gateway: '192.0.2.1',
              broadcast: '192.0.2.255',
              network: '192.0.2.0',
              association: 'public',
            },
            { name: 'inside', acquisition: 'advisory' },
          ],
        },
        contextualization: {
          provides: {
            identities: [
              { interface: 'inside', ip: '10.7.0.1', hostname: 'head', pubkey: 'ssh-ed25519 AAAAexample' },
              {},
            ],
            roles: [{ name: 'scheduler', interface: 'inside' }, { name: 'archive' }],
          },
          requires: {
            identities: [{ ip: '10.7.0.2', hostname: 'worker', pubkey: 'ssh-ed25519 AAAAother' }],
            roles: [{ name: 'worker', value: 'any', hostname: true, pubkey: false }, { name: 'archive' }],
            data: [{ name: 'greeting', value: 'if a < b && b > c; then echo "<hello>"; fi\n' }],
          },
        },
      },
    });
  });

  it('read a kernel by its image, and a VMM of any version', () => {
    expect(described(sample('site-kernel.xml')).requirements).toEqual({
      vmm: { type: 'xen' },
      kernel: { image: 'file://vmlinuz-site' },
    });
  });

  it('upcast the older revision and say so', () => {
    expect(sample('older-revision.xml')).toMatchObject({
      ok: true,
      revision: 'http://www.globus.org/2008/03/workspace/metadata',
      notices: [expect.stringContaining('upcast')],
      description: {
        name: 'urn:example:kept-since-march',
        disks: [{ role: 'root', location: 'file://kept-since-march.img' }],
      },
    });
  });

  it.each([
    ['cluster.xml', 'CLUSTER_NOT_A_WORKSPACE', { line: 3, element: 'cluster' }, 'gatekeeper × 1, workers × 8'],
    [
      'deployment-request.xml',
      'DEPLOYMENT_NOT_A_WORKSPACE',
      { line: 4, element: 'WorkspaceDeployment' },
      'deployment request',
    ],
    ['bad-foreign-cluster.xml', 'XML_UNKNOWN_ROOT', { line: 4, element: 'cluster' }, 'line 4, element cluster'],
    ['bad-mac.xml', 'XML_INVALID', { line: 8, element: 'MAC' }, "'17'"],
    ['bad-doctype.xml', 'XML_DOCTYPE_REFUSED', { line: 3 }, 'DOCTYPE'],
    ['bad-range.yaml', 'FIELDS_CONTRADICT', { line: 4, field: '/requirements/memoryMiB' }, 'max 256 is below min 512'],
    ['bad-field.json', 'FIELD_INVALID', { line: 4, field: '/requirements/memory' }, 'not a field'],
    ['bad-alias.yaml', 'YAML_ALIAS_REFUSED', { line: 2 }, '&name'],
  ])('refuse %s as %s, saying where', (name, code, where, text) => {
    const parsed = sample(name);
    expect(parsed).toMatchObject({
      ok: false,
      problems: [{ code, where, message: expect.stringContaining(text) }, ...rest(parsed)],
    });
  });
});

describe('what no schema can say', () => {
  it.each([
    ['two root disks', { disks: [root, root] }, '/disks/1', 'second root'],
    ['a root disk without a location', { disks: [{ role: 'root' }] }, '/disks/0', 'has a location'],
    [
      'a blank disk with a location',
      { disks: [root, { role: 'blank', location: 'image:x' }] },
      '/disks/1/location',
      'made empty',
    ],
    ['a swap disk of no size', { disks: [root, { role: 'swap' }] }, '/disks/1', 'sizeMiB'],
    [
      'two disks at one place',
      {
        disks: [
          { ...root, mountAs: 'a' },
          { ...part, mountAs: 'a' },
        ],
      },
      '/disks/1/mountAs',
      '"a"',
    ],
    [
      'two disks of one name',
      {
        disks: [
          { ...root, name: 'a' },
          { ...part, name: 'a' },
        ],
      },
      '/disks/1/name',
      '"a"',
    ],
    [
      'two interfaces of one name',
      { network: { nics: [{ name: 'a' }, { name: 'a' }] } },
      '/network/nics/1/name',
      '"a"',
    ],
    [
      'a kernel twice',
      { requirements: { kernel: { image: 'x', minVersion: '5' } } },
      '/requirements/kernel',
      'as well',
    ],
    ['a reversed range', { requirements: { cpus: { min: 2, max: 1 } } }, '/requirements/cpus', 'below min 2'],
    ['a number beyond exactness', { requirements: { cpus: { min: 2 ** 53 } } }, '/requirements/cpus/min', 'at most'],
    [
      'text XML cannot hold',
      { requirements: { kernel: { parameters: 'a\u0001b' } } },
      '/requirements/kernel/parameters',
      'XML',
    ],
  ])('%s is refused at its field', (_what, fields, field, text) => {
    expect(parseDescription(JSON.stringify({ name: 'hello', ...fields }))).toMatchObject({
      ok: false,
      problems: [{ where: { field }, message: expect.stringContaining(text) }],
    });
  });

  it('is said of an XML document at its element', () => {
    const nic = '<nic><name>a</name></nic>';
    const text = `<workspace xmlns="urn:workspace-ledger:description:1"><name>x</name>\n<network><nics>${nic}\n${nic}</nics></network></workspace>`;
    expect(parseDescription(text)).toMatchObject({
      ok: false,
      problems: [{ where: { line: 3, element: 'name', field: '/network/nics/1/name' } }],
    });
  });
});

describe('a problem in a value', () => {
  it('names the field, the place and what was expected, one problem for each', () => {
    const text = ['category: container', 'requirements:', '  memoryMiB: { min: lots }', 'colour: blue'].join('\n');
    const parsed = parseDescription(text);
    const messages = parsed.ok ? [] : parsed.problems.map(({ message }) => message);
    expect(messages.toSorted()).toEqual([
      'line 1, column 1, /name: is missing',
      'line 1, column 11, /category: must be one of "virtual-machine", "dynamic-account", not "container"',
      'line 3, column 21, /requirements/memoryMiB/min: must be integer, not "lots"',
      'line 4, column 9, /colour: is not a field of a description',
    ]);
  });
});

describe('the format', () => {
  it.each([
    ['application/json', 'name: hello', 'JSON_MALFORMED'],
    ['application/vnd.workspace+json; charset=utf-8', 'name: hello', 'JSON_MALFORMED'],
    ['text/xml', 'name: hello', 'XML_MALFORMED'],
  ])('is what the sender says: %s', (contentType, text, code) => {
    expect(parseDescription(text, { contentType })).toMatchObject({ ok: false, problems: [{ code }] });
  });

  it('is found out where the sender says nothing of use', () => {
    for (const contentType of ['application/x-www-form-urlencoded', 'text/plain', '']) {
      expect(parseDescription('{"name":"hello"}', { contentType })).toMatchObject({ ok: true, format: 'json' });
      expect(parseDescription('name: hello', { contentType })).toMatchObject({ ok: true, format: 'yaml' });
      expect(
        parseDescription(' \n<workspace xmlns="urn:workspace-ledger:description:1"><name>a</name></workspace>'),
      ).toMatchObject({
        ok: true,
        format: 'xml',
      });
    }
  });
});

describe('a description shown as XML', () => {
  it.each(['blast-node.yaml', 'heartbeat.json', 'full.xml', 'account.yaml', 'minimal.yaml'])(
    'reads back as it was: %s',
    (name) => {
      const description = described(sample(name));
      expect(described(parseDescription(descriptionToXml(description)))).toEqual(description);
    },
  );

  it('is the sample in that form, to the byte', () => {
    const text = readFileSync(join(SAMPLES, 'heartbeat-own.xml'), 'utf8');
    expect(descriptionToXml(described(parseDescription(text)))).toBe(text);
  });
});

function described(parsed: ParsedDescription) {
  if (!parsed.ok) throw new Error(parsed.problems.map(({ message }) => message).join('\n'));
  return parsed.description;
}

/** Only the first problem is asked after. */
function rest(parsed: ParsedDescription): unknown[] {
  return parsed.ok ? [] : parsed.problems.slice(1);
}
