/** Choices that a caller may leave to the site, in one place. */
export interface Policy {
  /** How long a lock is granted for. */
  readonly leaseSeconds: number;
  /** How long the host may take for each intent before it is asked what it is doing. */
  readonly deadlineSeconds: {
    readonly deploy: number;
    readonly start: number;
    readonly pause: number;
    readonly unpause: number;
    readonly serialise: number;
    readonly stop: number;
    readonly undeploy: number;
  };
  /** How long a graceful stop waits before the power is taken. */
  readonly graceSeconds: number;
}

export const defaultPolicy: Policy = {
  leaseSeconds: 3600,
  deadlineSeconds: { deploy: 600, start: 120, pause: 30, unpause: 30, serialise: 300, stop: 60, undeploy: 600 },
  graceSeconds: 10,
};
