/** The subjects on the bus (PROTOCOL.md). Ids hold no dot, star or angle bracket, so none can reach beyond its own. */

const token = /^[A-Za-z0-9_-]{1,64}$/;

function safe(id: string): string {
  if (!token.test(id))
    throw new RangeError(`an id in a subject has 1 to 64 of A-Z a-z 0-9 _ -, not ${JSON.stringify(id)}`);
  return id;
}

export const subjects = {
  /** Ledger → host: tasks and acknowledgements. Durable. */
  task: (hostId: string) => `vw.task.${safe(hostId)}`,
  /** Host → ledger. Durable. */
  evidence: (hostId: string) => `vw.evidence.${safe(hostId)}`,
  anyEvidence: 'vw.evidence.*',
  heartbeat: (hostId: string) => `vw.heartbeat.${safe(hostId)}`,
  anyHeartbeat: 'vw.heartbeat.*',
  /** Request and reply: a piece of a guest's console. */
  console: (hostId: string) => `vw.console.${safe(hostId)}`,
} as const;
