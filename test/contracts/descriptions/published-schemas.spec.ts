/**
 * Our XSDs accept and refuse exactly what the published ones do: on every published document, and on mutants of each valid one.
 *
 * The published files are compared where they are present, beside the package; nothing of them is in this project. Without them the
 * comparison says that it was left out; that the mutants would find a difference is tested everywhere, against planted ones.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parseDescription } from '@vw/descriptions';
import { packageRoot } from '@vw/runtime';
import { mutantsOf, neighboursOf, XSD_FOLDER } from './mutants.js';
import { ownSchema, publishedSchema, verdict, verdicts } from './verdict.js';

const PUBLISHED = join(packageRoot(), '..', 'shared', 'data', 'nimbus');
const SAMPLES = join(packageRoot(), 'schemas', 'samples', 'descriptions');
const HERE = join(packageRoot(), 'test', 'contracts', 'descriptions');
const MUTANTS_PER_DOCUMENT = 500;

/** Our schema and the published one for the same root. */
const VOCABULARIES = {
  workspace: { own: 'virtual-workspace.xsd', published: 'vw.xsd' },
  cluster: { own: 'logistics.xsd', published: 'vw-logistics.xsd' },
  deployment: { own: 'negotiable.xsd', published: 'negotiable.xsd' },
  job: { own: 'jsdl.xsd', published: 'jsdl.xsd' },
} as const;

type VocabularyName = keyof typeof VOCABULARIES;

const OWN_DOCUMENTS: readonly [VocabularyName, string][] = [
  ['workspace', join(SAMPLES, 'heartbeat.xml')],
  ['workspace', join(SAMPLES, 'full.xml')],
  ['workspace', join(SAMPLES, 'site-kernel.xml')],
  ['cluster', join(SAMPLES, 'cluster.xml')],
  ['deployment', join(SAMPLES, 'deployment-request.xml')],
  ['workspace', join(HERE, 'wildcard.xml')],
  ['job', join(HERE, 'job.xml')],
];

const PUBLISHED_DOCUMENTS: readonly [VocabularyName, string][] = [
  ['workspace', join(PUBLISHED, 'sample-workspace.xml')],
  ['workspace', join(PUBLISHED, 'globus-002.xml')],
  ['workspace', join(PUBLISHED, 'hello1.xml')],
  ['cluster', join(PUBLISHED, 'base-cluster.xml')],
  ['cluster', join(PUBLISHED, 'uc.blast-cluster-002-masterslave.xml')],
  ['deployment', join(PUBLISHED, 'sample-deployment-request.xml')],
];

/** Which documents ask about which of our files. */
const PLANTED_IN: readonly [file: string, vocabularies: readonly VocabularyName[]][] = [
  ['virtual-workspace.xsd', ['workspace']],
  ['definition.xsd', ['workspace']],
  ['logistics.xsd', ['workspace', 'cluster']],
  ['negotiable.xsd', ['deployment']],
  ['jsdl.xsd', ['job', 'workspace']],
];

const PLANTED: readonly [what: RegExp, instead: string][] = [
  [/ minOccurs="0"/g, ''],
  [/ maxOccurs="unbounded"/g, ''],
  [/<xs:enumeration value="[^"]*"\/>/g, '<xs:enumeration value="planted"/>'],
  [/ use="required"/g, ''],
  [/<xs:length value="17"\/>/g, '<xs:maxLength value="17"/>'],
  [/"xs:(boolean|duration|anyURI|double|NCName)"/g, '"xs:string"'],
  [/"xs:short"/g, '"xs:int"'],
  [/<xs:minInclusive value="1"\/>/g, '<xs:minInclusive value="0"/>'],
  [/"##other"/g, '"##local"'],
  [/"lax"(?= min)/g, '"skip"'], // of elements; no attribute of these vocabularies is global, so there lax is skip
  [/"lax"/g, '"strict"'],
];

describe('our own XSDs', () => {
  it.each(OWN_DOCUMENTS)('accept our %s sample %s', (vocabulary, file) => {
    using schema = ownSchema(VOCABULARIES[vocabulary].own);
    expect(verdict(schema, readFileSync(file, 'utf8'))).toBe('valid');
  });

  it.each(PLANTED_IN)('cannot differ in a detail of %s without a mutant telling', (file, vocabularies) => {
    let survivors = plantedIn(readFileSync(join(XSD_FOLDER, file), 'utf8'));
    for (const vocabulary of vocabularies) survivors = undetected(survivors, file, vocabulary);
    expect(survivors.map(({ said }) => said)).toEqual([]);
  });
});

describe('our XSDs beside the published ones', () => {
  if (!existsSync(PUBLISHED)) {
    it('are not compared: the published ones are not here', () => {
      console.warn(`left out: the comparison with the published schemas, which are not at ${PUBLISHED}`);
    });
    return;
  }

  it.each(Object.keys(VOCABULARIES) as VocabularyName[])('judge every published document alike: %s', (vocabulary) => {
    using own = ownSchema(VOCABULARIES[vocabulary].own);
    using published = publishedSchema(PUBLISHED, VOCABULARIES[vocabulary].published);
    const files = readdirSync(PUBLISHED).filter((file) => file.endsWith('.xml'));
    expect(files.length).toBeGreaterThan(0);
    for (const file of files) {
      const [ours, theirs] = verdicts([own, published], readFileSync(join(PUBLISHED, file), 'utf8'));
      expect(`${file}: ${ours}`).toBe(`${file}: ${theirs}`);
    }
  });

  it.each([...PUBLISHED_DOCUMENTS, ...OWN_DOCUMENTS])('judge every mutant alike: %s, %s', (vocabulary, file) => {
    using own = ownSchema(VOCABULARIES[vocabulary].own);
    using published = publishedSchema(PUBLISHED, VOCABULARIES[vocabulary].published);
    const document = readFileSync(file, 'utf8');
    expect(verdicts([own, published], document)).toEqual(['valid', 'valid']);

    const counts = { valid: 0, invalid: 0, malformed: 0 };
    for (const mutant of mutants(document)) {
      const [ours, theirs] = verdicts([own, published], mutant);
      counts[theirs!] += 1;
      expect({ mutant, verdict: ours }).toEqual({ mutant, verdict: theirs });
    }
    // Mutants that are all refused, or all accepted, would compare nothing.
    expect(counts.valid).toBeGreaterThan(MUTANTS_PER_DOCUMENT / 10);
    expect(counts.invalid).toBeGreaterThan(MUTANTS_PER_DOCUMENT / 5);
  });

  it('reads the published sample workspace as a description', () => {
    const parsed = parseDescription(readFileSync(join(PUBLISHED, 'sample-workspace.xml')));
    expect(parsed).toMatchObject({
      ok: true,
      format: 'xml',
      notices: [],
      description: {
        category: 'virtual-machine',
        name: 'http://example1/localhost/image',
        requirements: { architecture: 'x86', vmm: { type: 'xen', versions: ['3'] } },
        disks: [{ role: 'root', location: 'file://ttylinux-xen', mountAs: 'sda1', readOnly: false }],
        network: { nics: [{ name: 'eth0', acquisition: 'allocate', association: 'public' }] },
      },
    });
  });

  it('refuses the cluster without a namespace, naming line and element', () => {
    const parsed = parseDescription(readFileSync(join(PUBLISHED, 'ec2basecluster.xml')));
    expect(parsed).toMatchObject({
      ok: false,
      problems: [{ code: 'XML_UNKNOWN_ROOT', where: { line: 3, element: 'cluster' } }],
    });
    expect(!parsed.ok && parsed.problems[0]?.message).toMatch(/^line 3, element cluster: /);
  });

  it('reads the older revision, and says that it was upcast', () => {
    const parsed = parseDescription(readFileSync(join(PUBLISHED, 'alien-0.4-metadata.xml')));
    expect(parsed).toMatchObject({
      ok: true,
      revision: 'http://www.globus.org/2008/03/workspace/metadata',
      notices: [expect.stringContaining('upcast')],
      description: { name: 'http://alien_0_4/workspace', disks: [{ location: 'file://alien-0.4.0-x86.img' }] },
    });
  });

  it.each(['base-cluster.xml', 'uc.blast-cluster-002-masterslave.xml'])('knows %s for a cluster', (file) => {
    const parsed = parseDescription(readFileSync(join(PUBLISHED, file)));
    expect(parsed).toMatchObject({ ok: false, problems: [{ code: 'CLUSTER_NOT_A_WORKSPACE' }] });
  });

  it('knows the deployment request for what it is', () => {
    const parsed = parseDescription(readFileSync(join(PUBLISHED, 'sample-deployment-request.xml')));
    expect(parsed).toMatchObject({ ok: false, problems: [{ code: 'DEPLOYMENT_NOT_A_WORKSPACE' }] });
  });
});

interface Planted {
  edited: string;
  said: string;
}

/** Every small change to a schema that could be a mistake in writing it down. */
function plantedIn(text: string): Planted[] {
  return PLANTED.flatMap(([what, instead]) =>
    [...text.matchAll(what)].map((match) => ({
      edited: text.slice(0, match.index) + instead + text.slice(match.index + match[0].length),
      said: `line ${text.slice(0, match.index).split('\n').length}: ${match[0].trim()} became ${instead.trim() || 'nothing'}`,
    })),
  );
}

/** Those of the changes to one of our files that no mutant of our own documents of the vocabulary notices. */
function undetected(planted: readonly Planted[], file: string, vocabulary: VocabularyName): Planted[] {
  const entry = VOCABULARIES[vocabulary].own;
  using right = ownSchema(entry);
  let alive = planted.map((change) => ({
    change,
    wrong: ownSchema(entry, (name, original) => (name === file ? change.edited : original)),
  }));
  for (const question of questionsOf(vocabulary)) {
    const [answer, ...others] = verdicts([right, ...alive.map(({ wrong }) => wrong)], question);
    alive = alive.filter(({ wrong }, index) => {
      const told = others[index] !== answer;
      if (told) wrong.dispose();
      return !told;
    });
  }
  for (const { wrong } of alive) wrong.dispose();
  return alive.map(({ change }) => change);
}

function questionsOf(vocabulary: VocabularyName): string[] {
  return OWN_DOCUMENTS.filter(([name]) => name === vocabulary).flatMap(([, path]) =>
    mutants(readFileSync(path, 'utf8')),
  );
}

function mutants(document: string): string[] {
  return [...mutantsOf(document, 1, MUTANTS_PER_DOCUMENT), ...neighboursOf(document)];
}
