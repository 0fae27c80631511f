/**
 * Which host can take a workspace (paper §3: a workspace is deployed where its requirements are met). Pure, and the same for
 * everybody who asks: each unsuitable host comes back with the first requirement that it does not meet.
 */
import type { WorkspaceDescription } from './description.js';
import type { HostState, HostVmm } from './host/index.js';
import type { HostId } from './ids.js';
import type { HotImage, ImageRef } from './workspace/index.js';

/** What a machine gets when its description asks for nothing: enough for a small guest. */
export const defaultAllotment = { memoryMiB: 16, cpus: 1 } as const;

export interface Allotment {
  readonly memoryMiB: number;
  readonly cpus: number;
}

/** What a workspace is given on a host: the least that its description asks for. */
export function allotment(description: WorkspaceDescription): Allotment {
  const { memoryMiB, cpus } = description.requirements;
  return {
    memoryMiB: memoryMiB?.min || Math.min(defaultAllotment.memoryMiB, memoryMiB?.max ?? Infinity),
    cpus: cpus?.min || defaultAllotment.cpus,
  };
}

export interface Wanted {
  readonly description: WorkspaceDescription;
  readonly image: ImageRef;
  readonly hotImage?: HotImage;
}

export type Suitability =
  { readonly suitable: true; readonly vmm: HostVmm } | { readonly suitable: false; readonly lacks: string };

const lacks = (what: string): Suitability => ({ suitable: false, lacks: what });

/** A host, and the memory that it owes already to the workspaces placed there. Processors are shared in time, memory is not. */
export interface HostOffer {
  readonly host: HostState;
  readonly promisedMemoryMiB: number;
}

export function suitability({ host, promisedMemoryMiB }: HostOffer, wanted: Wanted): Suitability {
  const { description, image, hotImage } = wanted;
  const { requirements } = description;
  if (host.kind !== 'connected') return lacks(`a connection (it is ${host.kind})`);
  if (description.category !== 'virtual-machine') return lacks(`category ${description.category}`);
  const { memoryMiB, cpus } = allotment(description);
  const freeMiB = Math.max(0, host.capacity.memoryMiB - promisedMemoryMiB);
  if (freeMiB < memoryMiB)
    return lacks(`${memoryMiB} MiB of memory (it has ${freeMiB} free of ${host.capacity.memoryMiB})`);
  if (host.capacity.cpus < cpus) return lacks(`${cpus} cpus (it has ${host.capacity.cpus})`);
  const diskMiB = requirements.diskMiB?.min ?? 0;
  if (host.capacity.diskMiB < diskMiB) return lacks(`${diskMiB} MiB of disk (it has ${host.capacity.diskMiB})`);
  let missing = 'a VMM that a probe has shown to work';
  for (const vmm of host.capacity.vmms) {
    const lack = vmmLacks(vmm, description, image, hotImage);
    if (lack === undefined) return { suitable: true, vmm };
    missing = lack;
  }
  return lacks(missing);
}

function vmmLacks(
  vmm: HostVmm,
  description: WorkspaceDescription,
  image: ImageRef,
  hotImage: HotImage | undefined,
): string | undefined {
  const { requirements, capabilities = [] } = description;
  const wanted = requirements.vmm;
  if (wanted !== undefined && wanted.type !== 'any') {
    if (wanted.type !== vmm.type) return `VMM ${wanted.type} (it has ${vmm.type})`;
    const versions = wanted.versions ?? [];
    if (
      versions.length > 0 &&
      !versions.some((version) => vmm.version === version || vmm.version.startsWith(`${version}.`))
    ) {
      return `VMM ${wanted.type} ${versions.join(' or ')} (it has ${vmm.version})`;
    }
  }
  const { architecture } = requirements;
  if (architecture !== undefined && !vmm.architectures.includes(architecture)) return `architecture ${architecture}`;
  const needed = image.kind === 'disk' ? [...capabilities, 'disk'] : capabilities;
  const absent = needed.find((capability) => !vmm.capabilities.includes(capability));
  if (absent !== undefined) return `capability ${absent} (VMM ${vmm.type})`;
  if (hotImage !== undefined && (hotImage.vmmType !== vmm.type || hotImage.vmmVersion !== vmm.version)) {
    return `VMM ${hotImage.vmmType} ${hotImage.vmmVersion}, to which the hot image belongs (it has ${vmm.type} ${vmm.version})`;
  }
  return undefined;
}

/** The first suitable host in order of id, or what each lacks. */
export function chooseHost(
  offers: readonly HostOffer[],
  wanted: Wanted,
): { readonly hostId: HostId } | { readonly lacking: ReadonlyMap<HostId, string> } {
  const lacking = new Map<HostId, string>();
  for (const offer of offers.toSorted((a, b) => (a.host.hostId < b.host.hostId ? -1 : 1))) {
    const { hostId } = offer.host;
    const answer = suitability(offer, wanted);
    if (answer.suitable) return { hostId };
    lacking.set(hostId, answer.lacks);
  }
  return { lacking };
}
