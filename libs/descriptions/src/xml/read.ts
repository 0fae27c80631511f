/**
 * XML into our own vocabulary. The root element's name decides which vocabulary it is; that vocabulary's schema then judges the whole.
 *
 *   workspace            urn:workspace-ledger:description:1      read
 *   VirtualWorkspace     …/2008/06/workspace/metadata            read
 *   VirtualWorkspace     …/2008/03/workspace/metadata            read as the older revision, upcast, and said so
 *   cluster              …/2008/06/workspace/metadata/logistics  refused: several workspaces
 *   WorkspaceDeployment  …/2008/06/workspace/negotiable          refused: a request, not a description
 */
import type { ErrorDetail, XmlDocument } from 'libxml2-wasm';
import { problem, refused, refusedFor, type DescriptionProblem, type Refused } from '../problems.js';
import { OWN_REVISION, type Reading } from '../reading.js';
import { withXml } from './document.js';
import { describeOwn, OWN_ROOT } from './own.js';
import { Places } from './places.js';
import { objections, type Vocabulary } from './schemas.js';
import { childrenOf, textOf, treeOf, type XmlTree } from './tree.js';
import { describeVirtualWorkspace } from './virtual-workspace.js';

const METADATA = 'http://www.globus.org/2008/06/workspace/metadata';
const OLDER_METADATA = 'http://www.globus.org/2008/03/workspace/metadata';
const LOGISTICS = `${METADATA}/logistics`;
const NEGOTIABLE = 'http://www.globus.org/2008/06/workspace/negotiable';

/** Prefixes for messages only: a namespace in full hides what the message is about. */
const PREFIXES = new Map([
  [OWN_REVISION, ''],
  [METADATA, 'vw:'],
  [OLDER_METADATA, 'old:'],
  [LOGISTICS, 'log:'],
  [`${METADATA}/definition`, 'def:'],
  [NEGOTIABLE, 'neg:'],
  ['http://schemas.ggf.org/jsdl/2005/11/jsdl', 'jsdl:'],
]);

export function readXml(text: string): Reading {
  return withXml(text, (document) => {
    const { name, namespaceUri } = document.root;
    switch (`{${namespaceUri}}${name}`) {
      case `{${OWN_REVISION}}${OWN_ROOT}`:
        return valid(document, 'workspace-description', own);
      case `{${METADATA}}VirtualWorkspace`:
        return valid(document, 'virtual-workspace', (root) => virtualWorkspace(root, METADATA, []));
      case `{${OLDER_METADATA}}VirtualWorkspace`:
        return valid(document, 'virtual-workspace-2008-03', (root) =>
          virtualWorkspace(root, OLDER_METADATA, [upcast(root)]),
        );
      case `{${LOGISTICS}}cluster`:
        return valid(document, 'logistics', cluster);
      case `{${NEGOTIABLE}}WorkspaceDeployment`:
        return valid(document, 'negotiable', deployment);
      default:
        return refused(unknownRoot(document));
    }
  });
}

function valid(document: XmlDocument, vocabulary: Vocabulary, read: (root: XmlTree) => Reading): Reading {
  const found = objections(vocabulary, document);
  return found.length > 0 ? refusedFor(found, invalid) : read(treeOf(document.root));
}

function own(root: XmlTree): Reading {
  const places = new Places();
  return {
    ok: true,
    value: describeOwn(root, places),
    revision: OWN_REVISION,
    notices: [],
    locate: (pointer) => places.locate(pointer),
  };
}

function virtualWorkspace(root: XmlTree, revision: string, notices: string[]): Reading {
  const places = new Places();
  const described = describeVirtualWorkspace(root, places);
  return {
    ok: true,
    value: described.value,
    revision,
    notices: [...notices, ...described.notices],
    locate: (pointer) => places.locate(pointer),
  };
}

function upcast(root: XmlTree): string {
  return `line ${root.line}: this is the older revision ${OLDER_METADATA}; it was upcast to ${METADATA}`;
}

function cluster(root: XmlTree): Refused {
  const workspaces = childrenOf(root, 'workspace');
  const names = workspaces.map(
    (workspace) => `${textOf(workspace, 'name') ?? 'one without a name'} × ${textOf(workspace, 'quantity')}`,
  );
  const listed = names.length > 10 ? [...names.slice(0, 10), `and ${names.length - 10} more`] : names;
  const text = `a cluster is several workspaces (${listed.join(', ')}); describe and create each one by itself`;
  return refused(problem('CLUSTER_NOT_A_WORKSPACE', text, { line: root.line, element: root.name }));
}

function deployment(root: XmlTree): Refused {
  const text =
    'a deployment request asks for a share of a host and says nothing of what to run; give the workspace description';
  return refused(problem('DEPLOYMENT_NOT_A_WORKSPACE', text, { line: root.line, element: root.name }));
}

function unknownRoot({ root }: XmlDocument): DescriptionProblem {
  const namespace = root.namespaceUri === '' ? 'no namespace' : `the namespace ${root.namespaceUri.slice(0, 200)}`;
  const text = `a root element ${root.name} in ${namespace} is no workspace description; expected VirtualWorkspace in ${METADATA}, or ${OWN_ROOT} in ${OWN_REVISION}`;
  return problem('XML_UNKNOWN_ROOT', text, { line: root.line, element: root.name });
}

/** libxml2 says "Element 'x': …" or "Element 'x', attribute 'y': …"; the element goes into `where`. */
function invalid(detail: ErrorDetail): DescriptionProblem {
  const said = /^Element '(?:\{[^}]*\})?([^']*)'(?:: |, )([^]*)$/.exec(detail.message);
  const text = (said?.[2] ?? detail.message).trim();
  const readable = text
    .replace(/\{([^}' ]+)\}/g, (whole, namespace: string) => PREFIXES.get(namespace) ?? whole)
    .slice(0, 400);
  const where = said ? { line: detail.line, element: said[1]! } : { line: detail.line };
  return problem('XML_INVALID', readable, where);
}
