/** Every adapter by its name. A new one is a folder and a line here. */
import type { HypervisorDeps } from './deps.js';
import type { Hypervisor, VmmType } from './port.js';
import { qemuHypervisor } from './qemu/index.js';
import { simulatedHypervisor } from './simulated/index.js';
import { v86Hypervisor } from './v86/index.js';

const ADAPTERS: Readonly<Record<VmmType, (deps: HypervisorDeps) => Hypervisor>> = {
  v86: v86Hypervisor,
  qemu: qemuHypervisor,
  simulated: simulatedHypervisor,
};

export function createHypervisor(type: VmmType, deps: HypervisorDeps): Hypervisor {
  return ADAPTERS[type](deps);
}
