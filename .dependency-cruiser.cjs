/**
 * Who may import whom (docs/adr/0002-import-directions.md). The rooms are the folders of apps/ and libs/; the two tables below are the whole plan of the house,
 * and a room that they do not name may import nothing of ours. `npm run check` holds the code to them; `npm run picture` draws what the code does.
 */
const { readdirSync } = require('node:fs');
const { dirname, join } = require('node:path').posix;

/** Specifications, and what only they use. */
const spec = '[.]spec[.]ts$|^libs/domain/src/testing/';

/** Each library, and the libraries besides itself that it may import. */
const libraries = {
  domain: [],
  contracts: [],
  runtime: [],
  'event-store': ['runtime'],
  messaging: ['contracts', 'runtime'],
  hypervisors: ['runtime'],
  images: ['runtime'],
  identity: ['runtime'],
  transparency: ['runtime'],
  descriptions: ['domain', 'runtime'],
  projections: ['domain', 'event-store', 'runtime'],
};

/** Each application, and the libraries that it may import; every library where it says so. */
const everyLibrary = Object.keys(libraries);
const applications = {
  ledger: everyLibrary,
  'host-agent': ['contracts', 'messaging', 'hypervisors', 'images', 'identity', 'runtime'],
  cli: ['contracts'],
  console: ['contracts'],
  store: ['event-store', 'projections', 'runtime', 'contracts'],
  standalone: everyLibrary,
};

/** The adapters of each port, by their folders in the library's src/. */
const adapters = {
  'event-store': ['embedded', 'kurrentdb'],
  messaging: ['in-process'],
  hypervisors: ['v86', 'qemu', 'simulated'],
  images: ['directory'],
};

const oneOf = (names) => `(?:${names.join('|')})`;
const listed = (names) => names.map((name) => `libs/${name}`).join(', ') || 'no other library';

const libraryRule = ([name, allowed]) => ({
  name: `libs-${name}`,
  severity: 'error',
  comment: `libs/${name} may import ${listed(allowed)}.`,
  from: { path: `^libs/${name}/` },
  to: { path: '^libs/', pathNot: `^libs/${oneOf([name, ...allowed])}/` },
});

const applicationRule = ([name, allowed]) => ({
  name: `apps-${name}`,
  severity: 'error',
  comment: `apps/${name} may import ${allowed === everyLibrary ? 'every library of the plan' : listed(allowed)}.`,
  from: { path: `^apps/${name}/` },
  to: { path: '^libs/', pathNot: `^libs/${oneOf(allowed)}/` },
});

const adapterRules = ([library, names]) =>
  names.map((name) => ({
    name: 'adapters-do-not-meet',
    severity: 'error',
    comment: 'What two adapters of one port share belongs to the port, or to a folder of its own beside them.',
    from: { path: `^libs/${library}/src/${name}/` },
    to: { path: `^libs/${library}/src/${oneOf(names.filter((other) => other !== name).concat('-'))}/` },
  }));

/** Folders beside the adapters of a port, which know the port and none of them. */
const besideAdapters = { 'event-store': ['facade', 'protocol'] };

const besideAdapterRules = ([library, folders]) =>
  folders.map((folder) => ({
    name: 'adapters-are-handed-in',
    severity: 'error',
    comment: `libs/${library}/src/${folder} works on the port; which adapter is behind it is the business of whoever opens it.`,
    from: { path: `^libs/${library}/src/${folder}/`, pathNot: spec },
    to: { path: `^libs/${library}/src/${oneOf(adapters[library])}/` },
  }));

/** An index.ts closes its folder: whoever is outside knows only the index. So it is with adapters, aggregates and histories. */
const closedFolderRule = (folder) => ({
  name: 'folders-through-their-index',
  severity: 'error',
  comment: 'A folder with an index.ts is what the index says it is; the rest of it may change at any time.',
  from: { pathNot: [`^${folder}/`, spec] },
  to: { path: `^${folder}/`, pathNot: `^${folder}/index[.]ts$` },
});

function closedFolders() {
  return ['apps', 'libs'].flatMap((top) =>
    readdirSync(join(__dirname, top), { recursive: true })
      .map((file) => join(top, file).replaceAll('\\', '/'))
      .filter((file) => file.endsWith('/index.ts') && !/^libs\/[^/]+\/src\/index/.test(file))
      .map(dirname)
      .sort(),
  );
}

module.exports = {
  forbidden: [
    ...Object.entries(libraries).map(libraryRule),
    ...Object.entries(applications).map(applicationRule),
    {
      name: 'rooms-are-on-the-plan',
      severity: 'error',
      comment: 'A new room is first put on the plan, in .dependency-cruiser.cjs, with what it may import.',
      from: {
        path: '^(?:apps|libs)/',
        pathNot: `^(?:apps/${oneOf(Object.keys(applications))}|libs/${oneOf(everyLibrary)})/`,
      },
      to: {},
    },
    {
      name: 'libraries-through-their-index',
      severity: 'error',
      comment:
        'A library is what its src/index.ts says it is: adapters, old event shapes and all else inside may change at any time.',
      from: { path: '^(libs/[^/]+|apps|test|bench|infra|bin)/' },
      to: { path: '^libs/', pathNot: ['^$1/', '^libs/[^/]+/src/index[.]ts$'] },
    },
    ...Object.entries(adapters).flatMap(adapterRules),
    ...Object.entries(besideAdapters).flatMap(besideAdapterRules),
    ...closedFolders().map(closedFolderRule),
    {
      name: 'domain-is-pure',
      severity: 'error',
      comment: 'The domain replays for ever, so it imports nothing: no package, no node:*, no clock, no disk.',
      from: { path: '^libs/domain/', pathNot: spec },
      to: { pathNot: '^libs/domain/' },
    },
    {
      name: 'history-stays-home',
      severity: 'error',
      comment: 'Old event shapes are for the upcasters beside them; everyone else sees the latest shape only.',
      from: { path: '^libs/domain/', pathNot: '/history/' },
      to: { path: '/history/', pathNot: '/history/index[.]ts$' },
    },
    {
      name: 'apps-do-not-meet',
      severity: 'error',
      comment:
        'Applications speak over HTTP and the bus. Only the composition root, apps/standalone, puts them into one process.',
      from: { path: '^apps/([^/]+)/', pathNot: '^apps/standalone/' },
      to: { path: '^apps/', pathNot: '^apps/$1/' },
    },
    {
      name: 'libraries-know-no-app',
      severity: 'error',
      from: { path: '^libs/' },
      to: { path: '^apps/' },
    },
    {
      name: 'source-knows-no-test',
      severity: 'error',
      comment: 'What ships does not hang on what only tests it. A specification may use the support of other tests.',
      from: { path: '^(?:apps|libs)/', pathNot: spec },
      to: { path: ['^test/', '^bench/', spec] },
    },
    {
      name: 'no-dev-dependency-in-source',
      severity: 'error',
      comment: 'A package of devDependencies is not there where the program runs: move it, or do without.',
      from: { path: '^(?:apps|libs)/', pathNot: spec },
      to: { dependencyTypes: ['npm-dev'], dependencyTypesNot: ['npm'] },
    },
    {
      name: 'no-undeclared-package',
      severity: 'error',
      comment: 'A package that another one brought along may be gone tomorrow: put it into package.json.',
      from: {},
      to: { dependencyTypes: ['npm-no-pkg', 'npm-unknown'] },
    },
    {
      name: 'no-circular',
      severity: 'error',
      comment: 'Two files that need each other are one thought, or three.',
      from: {},
      to: { circular: true },
    },
    {
      name: 'no-unresolvable',
      severity: 'error',
      from: {},
      to: { couldNotResolve: true },
    },
    {
      name: 'no-orphans',
      severity: 'error',
      comment: 'Nothing imports it and it imports nothing: what is it for?',
      from: { orphan: true, pathNot: [spec, '/main[.]ts$', '[.]program[.]ts$', '[.]mjs$'] },
      to: {},
    },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    tsConfig: { fileName: 'tsconfig.json' },
    // A type is knowledge too: imports that vanish when compiled count.
    tsPreCompilationDeps: true,
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['import', 'types', 'node', 'default'],
      mainFields: ['module', 'main', 'types'],
    },
  },
};
