import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { WorkspaceDescription, WorkspaceRequirements } from './description.js';
import { type HostState, type HostVmm, unknownHost } from './host/index.js';
import type { HostId } from './ids.js';
import { allotment, chooseHost, type HostOffer, suitability, type Wanted } from './matching.js';
import { h1, h2, h3, hot, kernel, tiny } from './testing/scenario.js';

const v86: HostVmm = {
  type: 'v86',
  version: '0.5.462',
  accelerator: 'wasm',
  architectures: ['x86'],
  capabilities: ['pause', 'hot-image'],
};
const qemu: HostVmm = {
  type: 'qemu',
  version: '7.2',
  accelerator: 'tcg',
  architectures: ['x86', 'x86_64'],
  capabilities: ['pause', 'hot-image', 'disk'],
};
const host = (
  hostId: HostId,
  over: Partial<HostState['capacity']> = {},
  kind: HostState['kind'] = 'connected',
  promisedMemoryMiB = 0,
): HostOffer => ({
  host: { ...unknownHost, kind, hostId, capacity: { cpus: 2, memoryMiB: 64, diskMiB: 100, vmms: [v86], ...over } },
  promisedMemoryMiB,
});
const wanted = (requirements: WorkspaceRequirements = {}, over: Partial<WorkspaceDescription> = {}): Wanted => ({
  description: { ...tiny, requirements, ...over },
  image: kernel,
});
const lacking = (lacks: string) => ({ suitable: false, lacks });

describe('what a workspace is given', () => {
  it.each([
    [{}, { memoryMiB: 16, cpus: 1 }],
    [
      { memoryMiB: { min: 128 }, cpus: { min: 2 } },
      { memoryMiB: 128, cpus: 2 },
    ],
    [{ memoryMiB: { min: 0, max: 8 } }, { memoryMiB: 8, cpus: 1 }],
    [{ memoryMiB: { min: 0, max: 512 } }, { memoryMiB: 16, cpus: 1 }],
    [{ memoryMiB: { min: 4, max: 512 } }, { memoryMiB: 4, cpus: 1 }],
  ])('%j: %j', (requirements, expected) => {
    expect(allotment(wanted(requirements).description)).toEqual(expected);
  });
});

describe('a suitable host', () => {
  it.each([
    ['asks for nothing', wanted()],
    ['fits exactly', wanted({ memoryMiB: { min: 64 }, cpus: { min: 2 }, diskMiB: { min: 100 } })],
    ['takes any VMM', wanted({ vmm: { type: 'any', versions: ['9'] } })],
    ['names a version', wanted({ vmm: { type: 'v86', versions: ['0.4', '0.5.462'] } })],
    ['names the beginning of a version', wanted({ vmm: { type: 'v86', versions: ['0.5'] } })],
    ['names the architecture', wanted({ architecture: 'x86' })],
    ['needs what the VMM can do', wanted({}, { capabilities: ['hot-image', 'pause'] })],
    ['brings a hot image of this VMM', { ...wanted(), hotImage: { ...hot, vmmType: 'v86', vmmVersion: '0.5.462' } }],
  ])('for a workspace that %s', (_, each) => {
    expect(suitability(host(h1), each)).toEqual({ suitable: true, vmm: v86 });
  });

  it('is so by the first VMM that serves', () => {
    const both = host(h1, { vmms: [v86, qemu] });
    expect(suitability(both, wanted())).toEqual({ suitable: true, vmm: v86 });
    expect(suitability(both, { ...wanted(), image: { ...kernel, kind: 'disk' } })).toEqual({
      suitable: true,
      vmm: qemu,
    });
  });
});

describe('an unsuitable host lacks', () => {
  it.each([
    ['a connection (it is lost)', host(h1, {}, 'lost'), wanted()],
    ['category dynamic-account', host(h1), wanted({}, { category: 'dynamic-account' })],
    ['65 MiB of memory (it has 64 free of 64)', host(h1), wanted({ memoryMiB: { min: 65 } })],
    ['16 MiB of memory (it has 15 free of 15)', host(h1, { memoryMiB: 15 }), wanted()],
    ['16 MiB of memory (it has 15 free of 64)', host(h1, {}, 'connected', 49), wanted()],
    ['16 MiB of memory (it has 0 free of 64)', host(h1, {}, 'connected', 99), wanted()],
    ['3 cpus (it has 2)', host(h1), wanted({ cpus: { min: 3 } })],
    ['101 MiB of disk (it has 100)', host(h1), wanted({ diskMiB: { min: 101 } })],
    ['a VMM that a probe has shown to work', host(h1, { vmms: [] }), wanted()],
    ['VMM xen (it has v86)', host(h1), wanted({ vmm: { type: 'xen' } })],
    ['VMM v86 0.5.46 or 0.6 (it has 0.5.462)', host(h1), wanted({ vmm: { type: 'v86', versions: ['0.5.46', '0.6'] } })],
    ['architecture powerpc', host(h1), wanted({ architecture: 'powerpc' })],
    ['capability adopt (VMM v86)', host(h1), wanted({}, { capabilities: ['pause', 'adopt'] })],
    ['capability disk (VMM v86)', host(h1), { ...wanted(), image: { ...kernel, kind: 'disk' as const } }],
    [
      'VMM v86 0.5.461, to which the hot image belongs (it has v86 0.5.462)',
      host(h1),
      { ...wanted(), hotImage: { ...hot, vmmType: 'v86', vmmVersion: '0.5.461' } },
    ],
    [
      'VMM qemu 0.5.462, to which the hot image belongs (it has v86 0.5.462)',
      host(h1),
      { ...wanted(), hotImage: { ...hot, vmmType: 'qemu', vmmVersion: '0.5.462' } },
    ],
  ])('%s', (lacks, on, each) => {
    expect(suitability(on, each)).toEqual(lacking(lacks));
  });
});

describe('the choice', () => {
  const hosts = [host(h3), host(h2, {}, 'lost'), host(h1, { cpus: 0 })];

  it('is the first suitable host by id, whoever asks and in whatever order', () => {
    expect(chooseHost([host(h3), host(h2)], wanted())).toEqual({ hostId: h2 });
    fc.assert(
      fc.property(fc.shuffledSubarray(hosts, { minLength: hosts.length }), (shuffled) => {
        expect(chooseHost(shuffled, wanted())).toEqual({ hostId: h3 });
      }),
    );
  });

  it('or what each of them lacks', () => {
    expect(chooseHost(hosts, wanted({ cpus: { min: 4 } }))).toEqual({
      lacking: new Map([
        [h1, '4 cpus (it has 0)'],
        [h2, 'a connection (it is lost)'],
        [h3, '4 cpus (it has 2)'],
      ]),
    });
    expect(chooseHost([], wanted())).toEqual({ lacking: new Map() });
  });
});
