/**
 * A VirtualWorkspace document, valid by its schema, said in our own vocabulary. Nothing in it is interpreted: a disk's location stays the URI
 * the site wrote, and which image or VMM stands in for it is for others to decide.
 */
import type {
  Contextualization,
  DiskDescription,
  KernelRequirement,
  NicDescription,
  WorkspaceRequirements,
} from '@vw/domain';
import type { Places } from './places.js';
import { childOf, childrenOf, collapsed, textOf, type XmlTree } from './tree.js';

export function describeVirtualWorkspace(root: XmlTree, places: Places): { value: unknown; notices: string[] } {
  const definition = childOf(root, 'definition');
  const logistics = childOf(root, 'logistics');
  const name = childOf(root, 'name');
  const nics = childrenOf(childOf(logistics, 'networking'), 'nic');
  const disks = childOf(definition, 'diskCollection')?.children;
  const contextualization = childOf(logistics, 'contextualization');
  const requirements = childOf(definition, 'requirements');

  places.set('', root);
  if (name) places.set('/name', name);
  if (requirements) places.set('/requirements', requirements);
  if (contextualization) places.set('/contextualization', contextualization);
  disks?.forEach((disk, index) => places.set(`/disks/${index}`, disk));
  nics.forEach((nic, index) => places.set(`/network/nics/${index}`, nic));

  return {
    value: present({
      name: collapsed(name?.text ?? ''),
      requirements: requirements && requirementsOf(requirements),
      disks: disks?.map(diskOf),
      network: { nics: nics.map(nicOf) },
      contextualization: contextualization && contextualizationOf(contextualization),
    }),
    notices: droppedExtensions(requirements),
  };
}

function requirementsOf(requirements: XmlTree): WorkspaceRequirements {
  const vmm = childOf(requirements, 'VMM');
  const versions = childrenOf(vmm, 'version').map(({ text }) => text);
  const kernel = childOf(requirements, 'kernel');
  return present({
    architecture: textOf(childOf(requirements, 'CPUArchitecture'), 'CPUArchitectureName'),
    vmm:
      vmm &&
      present({
        type: VMM_TYPES[textOf(vmm, 'type') as keyof typeof VMM_TYPES],
        versions: versions.length > 0 ? versions : undefined,
      }),
    kernel: kernel && kernelOf(kernel),
  });
}

const VMM_TYPES = { Xen: 'xen', VMware: 'vmware' } as const;

function kernelOf(kernel: XmlTree): KernelRequirement {
  const image = textOf(kernel, 'image');
  const version = childOf(kernel, 'version');
  return present({
    image: image === undefined ? undefined : collapsed(image),
    minVersion: textOf(version, 'min'),
    maxVersion: textOf(version, 'max'),
    parameters: textOf(kernel, 'parameters'),
  });
}

const DISK_ROLES = {
  rootVBD: 'root',
  partition: 'partition',
  blankspacePartition: 'blank',
  RAM: 'ram',
  swap: 'swap',
} as const;

function diskOf(disk: XmlTree): DiskDescription {
  const location = textOf(disk, 'location');
  const permissions = textOf(disk, 'permissions');
  return present({
    role: DISK_ROLES[disk.name as keyof typeof DISK_ROLES],
    location: location === undefined ? undefined : collapsed(location),
    name: textOf(disk, 'partitionName'),
    mountAs: textOf(disk, 'mountAs'),
    readOnly: permissions === undefined ? undefined : permissions === 'ReadOnly',
  });
}

const ACQUISITIONS = { AllocateAndConfigure: 'allocate', AcceptAndConfigure: 'accept', Advisory: 'advisory' } as const;

function nicOf(nic: XmlTree): NicDescription {
  const config = childOf(nic, 'ipConfig');
  return present({
    name: textOf(nic, 'name') ?? '',
    association: textOf(nic, 'association'),
    acquisition: ACQUISITIONS[textOf(config, 'acquisitionMethod') as keyof typeof ACQUISITIONS],
    mac: textOf(nic, 'MAC'),
    hostname: textOf(config, 'hostname'),
    address: textOf(config, 'ipAddress'),
    netmask: textOf(config, 'netmask'),
    gateway: textOf(config, 'gateway'),
    broadcast: textOf(config, 'broadcast'),
    network: textOf(config, 'network'),
  });
}

function contextualizationOf(context: XmlTree): Contextualization {
  const provides = childOf(context, 'provides');
  const requires = childOf(context, 'requires');
  return present({
    provides: provides && {
      identities: childrenOf(provides, 'identity').map(identityOf),
      roles: childrenOf(provides, 'role').map((role) =>
        present({ name: role.text, interface: role.attributes.get('interface') }),
      ),
    },
    requires: requires && {
      identities: childrenOf(requires, 'identity').map(identityOf),
      roles: childrenOf(requires, 'role').map((role) =>
        present({
          name: role.attributes.get('name') ?? '',
          value: role.text === '' ? undefined : role.text,
          hostname: truth(role.attributes.get('hostname')),
          pubkey: truth(role.attributes.get('pubkey')),
        }),
      ),
      data: childrenOf(requires, 'data').map((data) => ({ name: data.attributes.get('name') ?? '', value: data.text })),
    },
  });
}

function identityOf(identity: XmlTree): Record<string, string> {
  return Object.fromEntries(identity.children.map(({ name, text }) => [name, text]));
}

function truth(text: string | undefined): boolean | undefined {
  return text === undefined ? undefined : ['true', '1'].includes(collapsed(text));
}

/** JSDL lets an architecture carry elements and attributes of any vocabulary; a description has no place for them. */
function droppedExtensions(requirements: XmlTree | undefined): string[] {
  const architecture = childOf(requirements, 'CPUArchitecture');
  if (!architecture) return [];
  const elements = architecture.children.filter(({ namespace }) => namespace !== architecture.namespace);
  if (elements.length === 0 && !architecture.foreignAttributes) return [];
  const what = elements.length > 0 ? elements.map(({ name }) => name).join(', ') : 'attributes of other vocabularies';
  return [`line ${architecture.line}: what CPUArchitecture carries beyond JSDL is not kept: ${what}`];
}

type Present<Fields> = { [Key in keyof Fields]: Exclude<Fields[Key], undefined> };

/** The fields that have a value: an absent element is an absent field. */
function present<Fields extends object>(fields: Fields): Present<Fields> {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as Present<Fields>;
}
