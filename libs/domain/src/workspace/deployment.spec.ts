import { describe, expect, it } from 'vitest';
import {
  ann,
  bob,
  command,
  digestOf,
  evening,
  event,
  given,
  h1,
  h2,
  hot,
  id,
  kernel,
  morning,
  night,
  noon,
} from '../testing/scenario.js';
import { situations } from '../testing/situations.js';
import { ledgerSubject } from './commands.js';

const {
  created,
  checkedOut,
  leaseRanOut,
  deploying,
  deployFailed,
  staged,
  running,
  paused,
  frozen,
  shelved,
  suspect,
  silent,
  undeployed,
  undeployedHot,
  corruptedAtHome,
  corruptedOnHost,
  expired,
  expiredRunning,
} = situations;
const requestId = id('now-deploy');
const lockHeld = { holder: ann, epoch: 1, leaseUntil: evening };

describe('deploy', () => {
  it('uses the holder’s own grant', () => {
    given(...checkedOut)
      .when(command('deploy', { addresses: ['10.0.0.1'] }))
      .accepted({
        type: 'DeployRequested',
        data: { requestId, hostId: h1, epoch: 1, deadline: evening, image: kernel, addresses: ['10.0.0.1'] },
      });
  });

  it('checks a free workspace out first, in the same append', () => {
    given(...created)
      .when(command('deploy'))
      .accepted(event('WorkspaceCheckedOut'), event('DeployRequested', { requestId }));
    given(...undeployed)
      .when(command('deploy', { by: bob, hostId: h2 }))
      .accepted(
        event('WorkspaceCheckedOut', { holder: bob, epoch: 2 }),
        event('DeployRequested', { requestId, hostId: h2, epoch: 2 }),
      );
  });

  it('takes a lease that has run out, in the same append', () => {
    given(...leaseRanOut)
      .when(command('deploy', { by: bob }))
      .accepted(
        event('WorkspaceCheckedIn', { because: 'lease-expired' }),
        event('WorkspaceCheckedOut', { holder: bob, epoch: 2 }),
        event('DeployRequested', { requestId, epoch: 2 }),
      );
  });

  it('gets a new epoch under a spent grant, so that no late task of the first can act', () => {
    given(...deployFailed)
      .when(command('deploy', { hostId: h2 }))
      .accepted(
        event('WorkspaceCheckedOut', { epoch: 2 }),
        event('DeployRequested', { requestId, hostId: h2, epoch: 2 }),
      );
  });

  it('never uses an epoch again after an override', () => {
    given(...running, event('OperatorOverrode'))
      .when(command('deploy', { hostId: h2 }))
      .accepted(
        event('WorkspaceCheckedOut', { epoch: 2 }),
        event('DeployRequested', { requestId, hostId: h2, epoch: 2 }),
      );
  });

  it('never lets a hot image be continued beside another image than the one it was taken on', () => {
    const other = { ...kernel, digest: digestOf('e') };
    const bound = { asked: { image: other.digest }, found: { image: kernel.digest, hotImage: hot.digest } };
    for (const type of ['deploy', 'refine'] as const) {
      given(...undeployedHot)
        .when(command(type, { image: other }))
        .refused('HAS_HOT_IMAGE', bound.asked, bound.found);
    }
  });

  it('brings the hot image along', () => {
    given(...undeployedHot)
      .when(command('deploy'))
      .accepted(
        event('WorkspaceCheckedOut', { epoch: 2 }),
        event('DeployRequested', { requestId, epoch: 2, hotImage: hot }),
      );
  });

  it('has nothing to do where the workspace is already', () => {
    for (const placed of [staged, running, silent]) {
      given(...placed)
        .when(command('deploy'))
        .alreadyDone();
    }
  });

  it('refuses a second host', () => {
    given(...running)
      .when(command('deploy', { hostId: h2 }))
      .refused('DEPLOYED', { hostId: h2 }, { hostId: h1, epoch: 1 });
  });

  it('refuses another holder, at home and on the very host', () => {
    for (const history of [checkedOut, staged]) {
      given(...history)
        .when(command('deploy', { by: bob }))
        .refused('LOCK_HELD', { by: bob }, lockHeld);
    }
  });

  it('refuses another holder on a host even when the lease has run out', () => {
    given(...running)
      .when(command('deploy', { by: bob, hostId: h2, at: night }))
      .refused('LOCK_HELD', { by: bob }, lockHeld);
  });

  it('waits for the open intent', () => {
    given(...deploying)
      .when(command('deploy'))
      .refused(
        'INTENT_OPEN',
        {},
        { intent: 'deploy', requestId: 'deploy', hostId: h1, since: morning, deadline: evening },
      );
  });

  it('refuses a corrupted workspace', () => {
    given(...corruptedAtHome)
      .when(command('deploy'))
      .refused('CORRUPTED', {}, { attempted: 'deploy', evidence: 'no room' });
  });

  it('refuses when the lifetime is over', () => {
    given(...expired)
      .when(command('deploy'))
      .refused('EXPIRED', { at: noon }, { expiresAt: noon - 100 });
  });
});

describe('undeploy', () => {
  const undeploying = (captureHotImage: boolean) =>
    event('UndeployRequested', { requestId: id('now-undeploy'), captureHotImage });

  it.each([
    ['stopped', staged],
    ['with its state in a hot image', shelved],
    ['with a frozen guest whose state is in a hot image', frozen],
    ['after its guest vanished', suspect],
    ['corrupted', corruptedOnHost],
  ])('leaves the host %s', (_, history) => {
    given(...history)
      .when(command('undeploy'))
      .accepted(undeploying(false));
  });

  it('captures a guest paused in memory on the way, so that nothing is lost', () => {
    given(...paused)
      .when(command('undeploy'))
      .accepted(undeploying(true));
  });

  it('has nothing to do at home', () => {
    for (const atHome of [created, undeployed, deployFailed]) {
      given(...atHome)
        .when(command('undeploy'))
        .alreadyDone();
    }
  });

  it('refuses a running guest', () => {
    given(...running)
      .when(command('undeploy'))
      .refused('RUNNING', {}, { hostId: h1, epoch: 1 });
  });

  it('refuses while nobody knows whether the guest runs', () => {
    given(...silent)
      .when(command('undeploy'))
      .refused('POWER_UNKNOWN', {}, { lastKnown: 'running', since: morning });
  });

  it('waits for the open intent', () => {
    given(...deploying)
      .when(command('undeploy'))
      .refused(
        'INTENT_OPEN',
        {},
        { intent: 'deploy', requestId: 'deploy', hostId: h1, since: morning, deadline: evening },
      );
  });

  it('is the holder’s, and the ledger’s once the lifetime is over', () => {
    given(...staged)
      .when(command('undeploy', { by: ledgerSubject }))
      .refused('LOCK_HELD', { by: ledgerSubject }, lockHeld);
    given(...expiredRunning, event('StopRequested'), event('WorkspaceStopped'))
      .when(command('undeploy', { by: ledgerSubject }))
      .accepted(undeploying(false));
    given(...expiredRunning, event('StopRequested'), event('WorkspaceStopped'))
      .when(command('undeploy', { by: bob }))
      .refused('LOCK_HELD', { by: bob }, lockHeld);
  });

  it('gives the lock back with the image that came home', () => {
    expect(given(...undeployed).state).toMatchObject({
      placement: { kind: 'none' },
      lock: { kind: 'free', lastEpoch: 1 },
      image: { name: 'tiny', digest: `sha256:${'b'.repeat(64)}`, kind: 'kernel' },
      power: { kind: 'shutdown' },
      intent: { kind: 'none' },
    });
  });
});
