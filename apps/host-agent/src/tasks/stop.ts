/** Shuts the guest down. Legal whatever is known of it: stopping is how one finds out. A crash leaves a guest or none; the repetition looks first. */
import type { Observation, Work } from '@vw/contracts';
import { ObservationImpossible } from '@vw/hypervisors';
import { observeGuest } from './guests.js';
import { type Means, type Performance, unlessCancelled } from './means.js';
import { WrongPower } from './setbacks.js';

export async function stop(
  { hypervisor }: Means,
  performance: Performance,
  { mode, graceMs }: Extract<Work, { kind: 'stop' }>,
): Promise<Observation> {
  const { workspaceId, epoch } = performance;
  const before = await observeGuest(hypervisor, workspaceId, epoch).catch(unlessForced(mode));
  if (before?.power === 'absent') return { kind: 'stopped' };
  unlessCancelled(performance);
  let complaint: unknown;
  await hypervisor.stop(workspaceId, epoch, mode, graceMs).catch((error: unknown) => (complaint = error));
  const after = await observeGuest(hypervisor, workspaceId, epoch);
  if (after.power === 'absent') return { kind: 'stopped' };
  throw complaint ?? new WrongPower(`the guest was stopped and is ${after.power}`);
}

/** A VMM that does not answer can still be ended: a hard stop does not wait to be told what it ends. */
function unlessForced(mode: 'graceful' | 'hard'): (error: unknown) => undefined {
  return (error) => {
    if (mode === 'hard' && error instanceof ObservationImpossible) return undefined;
    throw error;
  };
}
