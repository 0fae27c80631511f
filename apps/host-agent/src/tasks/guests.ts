/** The guests of this host, as the VMM shows them. Nothing here believes a return code. */
import type { Id } from '@vw/contracts';
import { type GuestObservation, type Hypervisor, WrongEpoch } from '@vw/hypervisors';

/** What is true of the guest of this very epoch: when the guest here is another epoch's, this one's is absent. @throws ObservationImpossible */
export async function observeGuest(hypervisor: Hypervisor, workspaceId: Id, epoch: number): Promise<GuestObservation> {
  try {
    return await hypervisor.observe(workspaceId, epoch);
  } catch (error) {
    if (!(error instanceof WrongEpoch)) throw error;
    return { power: 'absent', cause: `the guest on this host is of epoch ${error.actual}` };
  }
}

/**
 * Stops the guest of this epoch or of an older one, hard, and returns when none of them is there. A newer one is not touched.
 * @throws what the VMM says while the guest is still there, ObservationImpossible
 */
export async function ensureAbsent(hypervisor: Hypervisor, workspaceId: Id, epoch: number): Promise<void> {
  const present = await epochOfGuest(hypervisor, workspaceId, epoch);
  if (present === undefined || present > epoch) return;
  let complaint: unknown;
  await hypervisor.stop(workspaceId, present, 'hard', 0).catch((error: unknown) => (complaint = error));
  const after = await observeGuest(hypervisor, workspaceId, present);
  if (after.power === 'absent') return;
  throw complaint ?? new Error(`the guest of workspace ${workspaceId} is ${after.power} although its power was taken`);
}

async function epochOfGuest(hypervisor: Hypervisor, workspaceId: Id, epoch: number): Promise<number | undefined> {
  try {
    const seen = await hypervisor.observe(workspaceId, epoch);
    return seen.power === 'absent' ? undefined : epoch;
  } catch (error) {
    if (error instanceof WrongEpoch) return error.actual;
    throw error;
  }
}
