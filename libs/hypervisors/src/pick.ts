/** Which VMM a host takes, and why: only one whose probe has booted the tiny guest here. */
import type { HypervisorDeps } from './deps.js';
import type { Hypervisor, VmmProfile, VmmType } from './port.js';
import { createHypervisor } from './registry.js';

/** The order in which `auto` tries them, each with what speaks for it. */
const PREFERRED = [
  { type: 'qemu', merit: 'its guests outlive the agent and it runs disks' },
  { type: 'v86', merit: 'it needs nothing installed' },
] as const;

export interface PickedHypervisor {
  readonly hypervisor: Hypervisor;
  readonly profile: VmmProfile;
  /** One sentence for the operator, without its full stop. */
  readonly reason: string;
  /** What would have come first and could not be used. */
  readonly rejected: readonly { readonly type: VmmType; readonly detail: string }[];
}

/** @throws Error naming every VMM that was tried and what its probe said, where none can be used */
export async function pickHypervisor(
  choice: 'auto' | VmmType,
  deps: HypervisorDeps,
  signal?: AbortSignal,
): Promise<PickedHypervisor> {
  const candidates = choice === 'auto' ? PREFERRED : [{ type: choice, merit: 'it was asked for by name' }];
  const rejected: { type: VmmType; detail: string }[] = [];
  for (const { type, merit } of candidates) {
    const hypervisor = createHypervisor(type, deps);
    const result = await hypervisor.probe(signal);
    if (result.usable) {
      const reason = `guests run on ${type} ${result.profile.version}, because ${merit}; ${result.detail}`;
      return { hypervisor, profile: result.profile, reason, rejected };
    }
    rejected.push({ type, detail: result.detail });
    await hypervisor.close();
  }
  throw new Error(`no VMM can be used here: ${rejected.map(({ type, detail }) => `${type}: ${detail}`).join('; ')}`);
}
