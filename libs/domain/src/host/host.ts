/**
 * A host: what it has, whether it answers. Heartbeats are not events; connecting, being lost and returning are (PROTOCOL.md, "Losing a host").
 */
import { accept, alreadyDone, type Decision, refuse, unreachable } from '../decision.js';
import type { HostId, Instant } from '../ids.js';
import type { Recorded } from '../metadata.js';

/** A VMM that a probe on the host has shown to work. */
export interface HostVmm {
  type: string;
  version: string;
  accelerator: string;
  architectures: string[];
  capabilities: string[];
}

export interface HostCapacity {
  /**
   * @asType integer
   * @minimum 0
   */
  cpus: number;
  /**
   * @asType integer
   * @minimum 0
   */
  memoryMiB: number;
  /**
   * @asType integer
   * @minimum 0
   */
  diskMiB: number;
  vmms: HostVmm[];
}

export type HostEvent =
  | { readonly type: 'HostConnected'; readonly data: { hostId: HostId; bootId: string; capacity: HostCapacity } }
  | { readonly type: 'HostLost'; readonly data: { hostId: HostId; bootId: string; lastHeard: Instant } }
  | { readonly type: 'HostReturned'; readonly data: { hostId: HostId; bootId: string } };

export interface HostState {
  readonly kind: 'unknown' | 'connected' | 'lost';
  readonly hostId: HostId;
  readonly bootId: string;
  readonly capacity: HostCapacity;
  readonly lastHeard?: Instant;
  readonly revision: number;
}

export const unknownHost: HostState = {
  kind: 'unknown',
  hostId: '' as HostId,
  bootId: '',
  capacity: { cpus: 0, memoryMiB: 0, diskMiB: 0, vmms: [] },
  revision: -1,
};

export type HostCommand =
  /** A heartbeat that brings news: a first one, another boot, another capacity, or one after a silence. */
  | { readonly type: 'hear'; readonly hostId: HostId; readonly bootId: string; readonly capacity: HostCapacity }
  | { readonly type: 'lose'; readonly lastHeard: Instant };

export function evolveHost(state: HostState, { event, revision }: Recorded<HostEvent>): HostState {
  switch (event.type) {
    case 'HostConnected':
      return { kind: 'connected', ...event.data, revision };
    case 'HostLost':
      return { ...state, kind: 'lost', lastHeard: event.data.lastHeard, revision };
    case 'HostReturned':
      return { ...state, kind: 'connected', lastHeard: undefined, revision };
    default:
      return unreachable(event);
  }
}

export function decideHost(state: HostState, command: HostCommand): Decision<HostEvent> {
  switch (command.type) {
    case 'hear':
      return hear(state, command);
    case 'lose':
      if (state.kind === 'unknown') return refuse('NOT_FOUND', { command: command.type });
      if (state.kind === 'lost') return alreadyDone;
      return accept({
        type: 'HostLost',
        data: { hostId: state.hostId, bootId: state.bootId, lastHeard: command.lastHeard },
      });
    default:
      return unreachable(command);
  }
}

function hear(state: HostState, command: Extract<HostCommand, { type: 'hear' }>): Decision<HostEvent> {
  const { hostId, bootId, capacity } = command;
  const same = state.bootId === bootId && sameCapacity(state.capacity, capacity);
  if (state.kind === 'connected' && same) return alreadyDone;
  if (state.kind === 'lost' && same) return accept({ type: 'HostReturned', data: { hostId, bootId } });
  return accept({ type: 'HostConnected', data: { hostId, bootId, capacity } });
}

function sameCapacity(one: HostCapacity, other: HostCapacity): boolean {
  const sizes = (['cpus', 'memoryMiB', 'diskMiB'] as const).every((key) => one[key] === other[key]);
  const vmms = (capacity: HostCapacity) =>
    JSON.stringify(capacity.vmms.map((v) => [v.type, v.version, v.accelerator, v.architectures, v.capabilities]));
  return sizes && vmms(one) === vmms(other);
}
