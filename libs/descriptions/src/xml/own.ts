/** Our own vocabulary in XML: the description's fields one to one, under one namespace. Its schema is `schemas/xsd/workspace-description.xsd`. */
import type { Contextualization, WorkspaceDescription } from '@vw/domain';
import { OWN_REVISION } from '../reading.js';
import type { Places } from './places.js';
import { flag, integer, list, record, text, textMap, word } from './shape.js';
import type { XmlTree } from './tree.js';

export const OWN_ROOT = 'workspace';

const range = record<NonNullable<WorkspaceDescription['requirements']['memoryMiB']>>({ min: integer, max: integer });

const contextualization = record<Contextualization>({
  provides: record<NonNullable<Contextualization['provides']>>({
    identities: list('identity', textMap),
    roles: list(
      'role',
      record<NonNullable<Contextualization['provides']>['roles'][number]>({ name: text, interface: text }),
    ),
  }),
  requires: record<NonNullable<Contextualization['requires']>>({
    identities: list('identity', textMap),
    roles: list(
      'role',
      record<NonNullable<Contextualization['requires']>['roles'][number]>({
        name: text,
        value: text,
        hostname: flag,
        pubkey: flag,
      }),
    ),
    data: list(
      'datum',
      record<NonNullable<Contextualization['requires']>['data'][number]>({ name: text, value: text }),
    ),
  }),
});

const description = record<WorkspaceDescription>({
  category: word(),
  name: text,
  requirements: record<WorkspaceDescription['requirements']>({
    architecture: text,
    vmm: record<NonNullable<WorkspaceDescription['requirements']['vmm']>>({
      type: word(),
      versions: list('version', text),
    }),
    memoryMiB: range,
    diskMiB: range,
    cpus: range,
    kernel: record<NonNullable<WorkspaceDescription['requirements']['kernel']>>({
      image: text,
      minVersion: text,
      maxVersion: text,
      parameters: text,
    }),
    devices: list(
      'device',
      record<NonNullable<WorkspaceDescription['requirements']['devices']>[number]>({ kind: word(), name: text }),
    ),
    software: list(
      'package',
      record<NonNullable<WorkspaceDescription['requirements']['software']>[number]>({ name: text, version: text }),
    ),
  }),
  capabilities: list('capability', word()),
  disks: list(
    'disk',
    record<WorkspaceDescription['disks'][number]>({
      role: word(),
      location: text,
      name: text,
      mountAs: text,
      readOnly: flag,
      sizeMiB: integer,
    }),
  ),
  network: record<WorkspaceDescription['network']>({
    nics: list(
      'nic',
      record<WorkspaceDescription['network']['nics'][number]>({
        name: text,
        association: text,
        acquisition: word(),
        mac: text,
        hostname: text,
        address: text,
        netmask: text,
        gateway: text,
        broadcast: text,
        network: text,
      }),
    ),
  }),
  contextualization,
  lifetime: record<NonNullable<WorkspaceDescription['lifetime']>>({ seconds: integer }),
});

/** The description as an XML document in UTF-8 that reads back as the same description. It must be one that `parseDescription` lets pass. */
export function descriptionToXml(value: WorkspaceDescription): string {
  const body = description.write(OWN_ROOT, value, '');
  return `<?xml version="1.0" encoding="UTF-8"?>\n${body.replace(`<${OWN_ROOT}>`, `<${OWN_ROOT} xmlns="${OWN_REVISION}">`)}`;
}

/** What the document says, defaults not filled in: it may leave out what any other form may leave out. */
export function describeOwn(root: XmlTree, places: Places): Partial<WorkspaceDescription> {
  return description.read(root, '', places);
}
