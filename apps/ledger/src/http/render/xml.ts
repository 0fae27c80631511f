/**
 * The workspace and its reference in XML. The reference is a WS-Addressing 1.0 EndpointReference (W3C, 9 May 2006) with the owner's name as reference
 * parameter, as the paper's EPR carries it.
 */
import type { CommandAnswer, WorkspaceReference, WorkspaceView } from '@vw/contracts';
import { descriptionToXml } from '@vw/descriptions';
import type { WorkspaceDescription } from '@vw/domain';
import { XMLBuilder } from 'fast-xml-parser';

const namespaces = {
  '@_xmlns': 'urn:workspace-ledger:workspace:1',
  '@_xmlns:wsa': 'http://www.w3.org/2005/08/addressing',
};

const builder = new XMLBuilder({
  ignoreAttributes: false,
  format: true,
  indentBy: '  ',
  suppressBooleanAttributes: false,
});
const document = (root: object) => `<?xml version="1.0" encoding="UTF-8"?>\n${builder.build(root)}`;

const endpointReference = ({ uri, owner }: WorkspaceReference) => ({
  'wsa:EndpointReference': { 'wsa:Address': uri, 'wsa:ReferenceParameters': { owner } },
});

/** The description stands inside in its own vocabulary, so that what is taken out of here can be given to a create. */
export function workspaceXml(view: WorkspaceView, description: WorkspaceDescription): string {
  const { reference, description: _, ...rest } = view;
  const whole = document({ workspace: { ...namespaces, ...endpointReference(reference), ...flat(rest) } });
  const inner = descriptionToXml(description).replace(/^<\?xml[^>]*\?>\s*/, '');
  return whole.replace(/<\/workspace>\s*$/, () => `${inner.trimEnd()}\n</workspace>\n`);
}

export function answerXml(answer: CommandAnswer): string {
  const { reference, notices = [], ...rest } = answer;
  const epr = reference === undefined ? {} : endpointReference(reference);
  return document({ answer: { ...namespaces, ...epr, ...flat(rest), notice: notices } });
}

/** Absent values are left out; everything else is an element of its name. */
function flat(value: object): object {
  const entries = Object.entries(value).filter(([, each]) => each !== null && each !== undefined);
  return Object.fromEntries(
    entries.map(([key, each]) => [key, typeof each === 'object' && !Array.isArray(each) ? flat(each as object) : each]),
  );
}
