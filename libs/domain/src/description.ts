/**
 * What a workspace is to be: the paper's workspace description (Euro-Par 2005, §3), as plain data. This type is the one source of its shape: the
 * JSON Schema under `schemas/` is generated from it, annotations included.
 */

/** At least `min`, and at most `max` where that is given; both in the unit of the requirement's name. */
export interface Range {
  /**
   * @asType integer
   * @minimum 0
   */
  min: number;
  /**
   * @asType integer
   * @minimum 0
   */
  max?: number;
}

/** The kinds of execution environment: a virtual machine, or a dynamically created account of the host. */
export type WorkspaceCategory = 'virtual-machine' | 'dynamic-account';

/** What the host and its VMM must be able to do with the guest. */
export type RequiredCapability = 'pause' | 'hot-image' | 'disk' | 'adopt' | 'serial-console';

export interface VmmRequirement {
  /** The VMM's name in lower case, or `any`. */
  type: 'any' | 'v86' | 'qemu' | 'xen' | 'vmware' | 'simulated';
  /**
   * Acceptable versions; none means every version.
   * @maxItems 16
   */
  versions?: string[];
}

export interface KernelRequirement {
  /**
   * @maxLength 1024
   */
  image?: string;
  /**
   * @maxLength 128
   */
  minVersion?: string;
  /**
   * @maxLength 128
   */
  maxVersion?: string;
  /**
   * The kernel's command line.
   * @maxLength 1024
   */
  parameters?: string;
}

export interface DeviceRequirement {
  kind: 'serial' | 'cdrom' | 'usb' | 'gpu' | 'other';
  /**
   * @minLength 1
   * @maxLength 128
   */
  name: string;
}

export interface SoftwareRequirement {
  /**
   * @minLength 1
   * @maxLength 128
   */
  name: string;
  /**
   * @maxLength 128
   */
  version?: string;
}

export interface WorkspaceRequirements {
  /**
   * CPU architecture, as JSDL 1.0 names it (`x86`, `x86_64`, `powerpc`, …).
   * @maxLength 32
   */
  architecture?: string;
  vmm?: VmmRequirement;
  memoryMiB?: Range;
  diskMiB?: Range;
  cpus?: Range;
  kernel?: KernelRequirement;
  /**
   * @maxItems 32
   */
  devices?: DeviceRequirement[];
  /**
   * @maxItems 256
   */
  software?: SoftwareRequirement[];
}

/** A disk the guest sees. `root` holds the system; `blank` is made empty at deployment. */
export interface DiskDescription {
  role: 'root' | 'partition' | 'blank' | 'ram' | 'swap';
  /**
   * An image of the repository (`image:NAME`, `sha256:…`) or a URI as other sites wrote it. Absent for `blank`.
   * @maxLength 2048
   */
  location?: string;
  /**
   * @maxLength 256
   */
  name?: string;
  /**
   * The device under which the guest sees it.
   * @maxLength 256
   */
  mountAs?: string;
  readOnly?: boolean;
  /**
   * @asType integer
   * @minimum 1
   */
  sizeMiB?: number;
}

/** A network interface. Addresses are text here; the pool that grants them judges them. */
export interface NicDescription {
  /**
   * @minLength 1
   * @maxLength 64
   */
  name: string;
  /**
   * The kind of network it belongs to, as the site advertises it: `public`, `private`, …
   * @maxLength 128
   */
  association?: string;
  /** Who decides the address: the site allocates; the request's is taken; the request's is only advice. */
  acquisition: 'allocate' | 'accept' | 'advisory';
  /**
   * @pattern ^[0-9A-Fa-f]{2}([:-][0-9A-Fa-f]{2}){5}$
   */
  mac?: string;
  /**
   * @maxLength 255
   */
  hostname?: string;
  /**
   * @maxLength 64
   */
  address?: string;
  /**
   * @maxLength 64
   */
  netmask?: string;
  /**
   * @maxLength 64
   */
  gateway?: string;
  /**
   * @maxLength 64
   */
  broadcast?: string;
  /**
   * @maxLength 64
   */
  network?: string;
}

/** A document that the guest's own software reads to find its peers (Nimbus calls it contextualization); carried, not interpreted. */
export interface Contextualization {
  provides?: { identities: { [key: string]: string }[]; roles: { name: string; interface?: string }[] };
  requires?: {
    identities: { [key: string]: string }[];
    roles: { name: string; value?: string; hostname?: boolean; pubkey?: boolean }[];
    data: { name: string; value: string }[];
  };
}

export interface Lifetime {
  /**
   * Seconds from creation until the workspace expires.
   * @asType integer
   * @minimum 1
   * @maximum 3153600000
   */
  seconds: number;
}

export interface WorkspaceDescription {
  category: WorkspaceCategory;
  /**
   * What people call it: any URI or text, not necessarily unique.
   * @minLength 1
   * @maxLength 512
   * @pattern ^[^\u0000-\u001f\u007f]+$
   */
  name: string;
  requirements: WorkspaceRequirements;
  /**
   * What it needs the VMM to be able to do.
   * @maxItems 8
   */
  capabilities?: RequiredCapability[];
  /**
   * @maxItems 32
   */
  disks: DiskDescription[];
  network: {
    /**
     * @maxItems 32
     */
    nics: NicDescription[];
  };
  contextualization?: Contextualization;
  lifetime?: Lifetime;
}
