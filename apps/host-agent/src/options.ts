/** What an agent is made with. */
import type { Id } from '@vw/contracts';
import type { Hypervisor, VmmProfile } from '@vw/hypervisors';
import type { ImageRepository } from '@vw/images';
import type { Bus } from '@vw/messaging';
import type { Clock, Ids, Logger, Timers } from '@vw/runtime';

export interface HostAgentOptions {
  /** 1 to 64 of `A-Z a-z 0-9 _ -`. */
  readonly hostId: Id;
  /** The host's data folder, for one agent at a time: its journal, and `workspaces/`. Made where it is missing. */
  readonly directory: string;
  /** What the host lends to guests. */
  readonly capacity: { readonly cpus: number; readonly memoryMiB: number; readonly diskMiB: number };
  readonly heartbeatEveryMs?: number;
  /** The first pause before evidence is published again; it doubles, up to 32 times this. */
  readonly evidenceRetryMs?: number;
  /** How many workspaces are worked at once. */
  readonly maxParallel?: number;
}

/** All of them stay the caller's: the agent closes none. */
export interface HostAgentPorts {
  readonly bus: Bus;
  readonly hypervisor: Hypervisor;
  /** What the probe has proven of the hypervisor. */
  readonly vmmProfile: VmmProfile;
  readonly images: ImageRepository;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly ids: Ids;
  readonly logger: Logger;
}

export function withDefaults(options: HostAgentOptions): Required<HostAgentOptions> {
  const { heartbeatEveryMs = 2_000, evidenceRetryMs = 1_000, maxParallel = 4 } = options;
  return { ...options, heartbeatEveryMs, evidenceRetryMs, maxParallel };
}
