/** Where a workspace can stand, each by the history that led there. Ann holds the lock at epoch 1, the host is the first, unless the name says more. */
import type { WorkspaceEvent } from '../workspace/index.js';
import { ann, bob, event, hot, kernel, noon } from './scenario.js';

type History = readonly WorkspaceEvent[];

const unborn: History = [];
const created: History = [event('WorkspaceCreated')];
const checkedOut: History = [...created, event('WorkspaceCheckedOut')];
const leaseRanOut: History = [...created, event('WorkspaceCheckedOut', { leaseUntil: noon })];

const deploying: History = [...checkedOut, event('DeployRequested')];
const deployFailed: History = [...deploying, event('DeployFailed')];
const staged: History = [...deploying, event('WorkspaceDeployed')];

const starting: History = [...staged, event('StartRequested')];
const running: History = [...starting, event('WorkspaceStarted')];
const pausing: History = [...running, event('PauseRequested')];
const paused: History = [...pausing, event('WorkspacePaused')];
const unpausing: History = [...paused, event('UnpauseRequested')];
const serialising: History = [...paused, event('SerialiseRequested')];
/** The full state is in a hot image, and the guest is still in memory beside it. */
const frozen: History = [...serialising, event('HotImageCaptured')];
const stopping: History = [...running, event('StopRequested')];
/** The hot image is all there is of the guest. */
const shelved: History = [...frozen, event('StopRequested'), event('WorkspaceStopped')];
const suspect: History = [...running, event('DriftDetected')];

const undeploying: History = [...staged, event('UndeployRequested')];
const undeployed: History = [...undeploying, event('WorkspaceUndeployed'), event('WorkspaceCheckedIn')];
const undeployedHot: History = [
  ...paused,
  event('UndeployRequested', { captureHotImage: true }),
  event('WorkspaceUndeployed', { imageDigest: kernel.digest, hotImage: hot }),
  event('WorkspaceCheckedIn'),
];

const silent: History = [...running, event('PlacementBecameUnknown')];
const silentWhileStopping: History = [...stopping, event('PlacementBecameUnknown')];
const corruptedOnHost: History = [...starting, event('StartFailed', { class: 'corrupt' }), event('WorkspaceCorrupted')];
const corruptedPaused: History = [
  ...serialising,
  event('SerialiseFailed', { class: 'corrupt' }),
  event('WorkspaceCorrupted', { attempted: 'serialise' }),
];
const corruptedAtHome: History = [
  ...deploying,
  event('DeployFailed', { class: 'corrupt' }),
  event('WorkspaceCorrupted', { attempted: 'deploy' }),
];

const expired: History = [...created, event('LifetimeSet'), event('WorkspaceExpired')];
const expiredRunning: History = [...running, event('LifetimeSet'), event('WorkspaceExpired')];
const retired: History = [...created, event('WorkspaceRetired')];

export const situations = {
  unborn,
  created,
  checkedOut,
  leaseRanOut,
  deploying,
  deployFailed,
  staged,
  starting,
  running,
  pausing,
  paused,
  unpausing,
  serialising,
  frozen,
  stopping,
  shelved,
  suspect,
  undeploying,
  undeployed,
  undeployedHot,
  silent,
  silentWhileStopping,
  corruptedOnHost,
  corruptedPaused,
  corruptedAtHome,
  expired,
  expiredRunning,
  retired,
} satisfies { readonly [name: string]: History };

export type Situation = keyof typeof situations;

/** The same situations with the lock in Bob's hands: everything but the lock is as it was. */
export const stolen = (history: History): History => [...history, event('LockStolen', { from: ann, holder: bob })];
