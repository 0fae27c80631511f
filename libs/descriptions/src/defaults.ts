/**
 * What a description means where it says nothing; the one place of it. `name: hello` alone is a description: a virtual machine that
 * requires nothing, with the built-in heartbeat guest as its root disk and no network.
 *
 * A default fills only what is absent. What is present and wrong (`disks: null`) stays, for the schema to refuse.
 */
import type { DiskDescription, WorkspaceCategory } from '@vw/domain';

const CATEGORY: WorkspaceCategory = 'virtual-machine';
const ROOT_DISK: DiskDescription = { role: 'root', location: 'image:heartbeat' };

export function withDefaults(value: unknown): unknown {
  if (!isObject(value)) return value;
  const category = value['category'] ?? CATEGORY;
  return {
    category,
    requirements: {},
    disks: category === 'dynamic-account' ? [] : [{ ...ROOT_DISK }],
    ...value,
    network: withNics(value['network']),
  };
}

function withNics(network: unknown): unknown {
  if (network === undefined) return { nics: [] };
  if (!isObject(network)) return network;
  const { nics = [], ...rest } = network;
  return { ...rest, nics: Array.isArray(nics) ? nics.map(withAcquisition) : nics };
}

function withAcquisition(nic: unknown): unknown {
  return isObject(nic) ? { acquisition: 'allocate', ...nic } : nic;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
