import { describe, expect, it } from 'vitest';
import { ann, bob, command, evening, event, given, h1, h2, id, kernel, night, noon } from '../testing/scenario.js';
import { situations, stolen } from '../testing/situations.js';

const { created, checkedOut, leaseRanOut, deploying, deployFailed, staged, running, undeploying, undeployed, expired } =
  situations;
const lockHeld = { holder: ann, epoch: 1, leaseUntil: evening };

describe('check-out', () => {
  it('grants the first epoch, and the next one to the next', () => {
    given(...created)
      .when(command('check-out'))
      .accepted({ type: 'WorkspaceCheckedOut', data: { holder: ann, epoch: 1, leaseUntil: evening } });
    given(...undeployed)
      .when(command('check-out', { by: bob }))
      .accepted({ type: 'WorkspaceCheckedOut', data: { holder: bob, epoch: 2, leaseUntil: evening } });
  });

  it('has nothing to do for the holder', () => {
    given(...checkedOut)
      .when(command('check-out'))
      .alreadyDone();
  });

  it('refuses a second holder', () => {
    given(...checkedOut)
      .when(command('check-out', { by: bob }))
      .refused('LOCK_HELD', { by: bob }, lockHeld);
  });

  it('takes a lease that has run out, with a new epoch', () => {
    given(...leaseRanOut)
      .when(command('check-out', { by: bob, at: noon }))
      .accepted(
        { type: 'WorkspaceCheckedIn', data: { holder: ann, epoch: 1, because: 'lease-expired' } },
        { type: 'WorkspaceCheckedOut', data: { holder: bob, epoch: 2, leaseUntil: evening } },
      );
    given(...leaseRanOut)
      .when(command('check-out', { by: bob, at: noon - 1 }))
      .refused('LOCK_HELD', { by: bob }, { ...lockHeld, leaseUntil: noon });
  });

  it('never takes a lease that has run out while a host has the workspace: its guest does not read our clock', () => {
    for (const placed of [deploying, staged, running, undeploying]) {
      given(...placed)
        .when(command('check-out', { by: bob, at: night }))
        .refused('LOCK_HELD', { by: bob }, lockHeld);
    }
  });

  it('refuses when the lifetime is over', () => {
    given(...expired)
      .when(command('check-out'))
      .refused('EXPIRED', { at: noon }, { expiresAt: noon - 100 });
  });
});

describe('check-in', () => {
  it('gives the lock back', () => {
    given(...checkedOut)
      .when(command('check-in'))
      .accepted({ type: 'WorkspaceCheckedIn', data: { holder: ann, epoch: 1, because: 'asked' } });
  });

  it('gives it back after a deployment that came to nothing', () => {
    given(...deployFailed)
      .when(command('check-in'))
      .accepted({ type: 'WorkspaceCheckedIn', data: { holder: ann, epoch: 1, because: 'asked' } });
  });

  it('has nothing to do when it is free', () => {
    given(...created)
      .when(command('check-in'))
      .alreadyDone();
  });

  it('is the holder’s', () => {
    given(...checkedOut)
      .when(command('check-in', { by: bob }))
      .refused('LOCK_HELD', { by: bob }, lockHeld);
  });

  it('waits until the workspace has left its host', () => {
    given(...running)
      .when(command('check-in'))
      .refused('DEPLOYED', {}, { placement: 'staged', hostId: h1, epoch: 1 });
    given(...undeploying)
      .when(command('check-in'))
      .refused(
        'INTENT_OPEN',
        {},
        { intent: 'undeploy', requestId: 'undeploy', hostId: h1, since: 1_000, deadline: evening },
      );
  });
});

describe('renew', () => {
  it('makes the lease longer, under the same epoch', () => {
    given(...running)
      .when(command('renew'))
      .accepted({ type: 'LeaseRenewed', data: { holder: ann, epoch: 1, leaseUntil: night } });
    expect(given(...running, event('LeaseRenewed')).state.lock).toMatchObject({ epoch: 1, leaseUntil: night });
  });

  it('never makes it shorter', () => {
    given(...running)
      .when(command('renew', { leaseUntil: evening }))
      .alreadyDone();
  });

  it('is the holder’s', () => {
    given(...running)
      .when(command('renew', { by: bob }))
      .refused('LOCK_HELD', { by: bob }, lockHeld);
  });

  it('needs a lock', () => {
    given(...undeployed)
      .when(command('renew'))
      .refused('LOCK_FREE', { by: ann }, { lastEpoch: 1 });
  });
});

describe('steal-lock', () => {
  const theft = command('steal-lock', { by: bob });

  it('is a new grant where no host has the workspace', () => {
    for (const atHome of [checkedOut, deployFailed]) {
      given(...atHome)
        .when(theft)
        .accepted({
          type: 'LockStolen',
          data: { from: ann, holder: bob, epoch: 2, leaseUntil: evening, reason: 'gone home' },
        });
    }
  });

  it('keeps the epoch where one has: the epoch fences hosts, people change hands over it', () => {
    for (const placed of [deploying, running, undeploying]) {
      given(...placed)
        .when(theft)
        .accepted({
          type: 'LockStolen',
          data: { from: ann, holder: bob, epoch: 1, leaseUntil: evening, reason: 'gone home' },
        });
    }
  });

  it('lets the thief act, and the robbed no more', () => {
    given(...stolen(running))
      .when(command('stop', { by: bob }))
      .accepted(event('StopRequested', { requestId: id('now-stop') }));
    given(...stolen(running))
      .when(command('stop'))
      .refused('LOCK_HELD', { by: ann }, { holder: bob, epoch: 1, leaseUntil: evening });
  });

  it('does not renew an epoch that was spent before', () => {
    const failed = [...stolen(deploying), event('DeployFailed')];
    given(...failed)
      .when(command('deploy', { by: bob, hostId: h2 }))
      .accepted(
        { type: 'WorkspaceCheckedOut', data: { holder: bob, epoch: 2, leaseUntil: evening } },
        event('DeployRequested', { requestId: id('now-deploy'), hostId: h2, epoch: 2, image: kernel }),
      );
  });

  it('leaves a new grant unspent', () => {
    const robbed = [...deployFailed, event('LockStolen', { epoch: 2 })];
    given(...robbed)
      .when(command('deploy', { by: bob }))
      .accepted(event('DeployRequested', { requestId: id('now-deploy'), epoch: 2 }));
  });

  it('has nothing to do for the holder', () => {
    given(...running)
      .when(command('steal-lock'))
      .alreadyDone();
  });

  it('needs a lock to take', () => {
    given(...undeployed)
      .when(theft)
      .refused('LOCK_FREE', { by: bob }, { lastEpoch: 1 });
  });
});
