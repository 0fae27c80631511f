/** What an agent has counted since it was started, for metrics. */
export interface Counters {
  /** Tasks journalled. */
  taken: number;
  /** Tasks that came again. */
  repeated: number;
  /** Tasks of a lower or closed epoch, refused. */
  stale: number;
  /** Messages that no ledger would send. */
  malformed: number;
  /** Messages for another host. */
  misdirected: number;
  /** Evidence published, repetitions included. */
  published: number;
  acknowledged: number;
  /** Performances that could not be confirmed, and were put off. */
  putOff: number;
}

export const noneCounted = (): Counters => ({
  taken: 0,
  repeated: 0,
  stale: 0,
  malformed: 0,
  misdirected: 0,
  published: 0,
  acknowledged: 0,
  putOff: 0,
});
