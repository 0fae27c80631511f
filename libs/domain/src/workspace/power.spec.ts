import { describe, it } from 'vitest';
import { ann, bob, command, evening, event, given, h1, hot, id, kernel, morning, noon } from '../testing/scenario.js';
import { type Situation, situations } from '../testing/situations.js';
import { ledgerSubject } from './commands.js';

const {
  created,
  checkedOut,
  staged,
  starting,
  running,
  paused,
  frozen,
  shelved,
  suspect,
  silent,
  corruptedOnHost,
  corruptedPaused,
  expiredRunning,
} = situations;
const lockHeld = { holder: ann, epoch: 1, leaseUntil: evening };
const fresh = { kind: 'image', digest: kernel.digest } as const;
const again = { kind: 'hot-image', hotImage: hot, image: kernel.digest } as const;
const expiredWhen = (history: (typeof situations)[Situation]) => [
  ...history,
  event('LifetimeSet'),
  event('WorkspaceExpired'),
];

describe('start', () => {
  const requestId = id('now-start');

  it('boots from the image', () => {
    for (const history of [staged, suspect]) {
      given(...history)
        .when(command('start'))
        .accepted({
          type: 'StartRequested',
          data: { requestId, hostId: h1, epoch: 1, deadline: evening, from: fresh },
        });
    }
  });

  it('continues from the hot image where there is one', () => {
    given(...shelved)
      .when(command('start'))
      .accepted(event('StartRequested', { requestId, from: again }));
    given(...shelved)
      .when(command('start', { from: 'hot-image' }))
      .accepted(event('StartRequested', { requestId, from: again }));
  });

  it('boots afresh beside a hot image when told', () => {
    given(...shelved)
      .when(command('start', { from: 'image' }))
      .accepted(event('StartRequested', { requestId, from: fresh }));
  });

  it('has nothing to do for a running guest', () => {
    given(...running)
      .when(command('start'))
      .alreadyDone();
  });

  it('refuses a guest frozen in memory, with a hot image or without', () => {
    given(...paused)
      .when(command('start'))
      .refused('PAUSED_IN_MEMORY', { from: null }, { power: 'paused' });
    given(...frozen)
      .when(command('start', { from: 'hot-image' }))
      .refused('PAUSED_IN_MEMORY', { from: 'hot-image' }, { power: 'serialised' });
  });

  it('refuses to continue from a hot image that is not there', () => {
    given(...staged)
      .when(command('start', { from: 'hot-image' }))
      .refused('NO_HOT_IMAGE', { from: 'hot-image' }, { power: 'shutdown' });
  });

  it('refuses a corrupted workspace', () => {
    given(...corruptedOnHost)
      .when(command('start'))
      .refused('CORRUPTED', {}, { attempted: 'start', evidence: 'no room' });
  });

  it('refuses while nobody knows whether the guest runs', () => {
    given(...silent)
      .when(command('start'))
      .refused('POWER_UNKNOWN', {}, { lastKnown: 'running', since: morning });
  });

  it('refuses when the lifetime is over', () => {
    given(...expiredWhen(staged))
      .when(command('start'))
      .refused('EXPIRED', { at: noon }, { expiresAt: noon - 100 });
  });
});

describe('pause', () => {
  it('freezes a running guest', () => {
    given(...running)
      .when(command('pause'))
      .accepted({
        type: 'PauseRequested',
        data: { requestId: id('now-pause'), hostId: h1, epoch: 1, deadline: evening },
      });
  });

  it('is legal though the lifetime is over', () => {
    given(...expiredRunning)
      .when(command('pause'))
      .accepted(event('PauseRequested', { requestId: id('now-pause') }));
  });

  it('has nothing to do for a frozen guest', () => {
    for (const history of [paused, frozen]) {
      given(...history)
        .when(command('pause'))
        .alreadyDone();
    }
  });

  it('refuses where nothing runs', () => {
    given(...staged)
      .when(command('pause'))
      .refused('NOT_RUNNING', {}, { power: 'shutdown' });
    given(...shelved)
      .when(command('pause'))
      .refused('NOT_RUNNING', {}, { power: 'serialised' });
  });

  it('refuses while nobody knows whether the guest runs', () => {
    given(...silent)
      .when(command('pause'))
      .refused('POWER_UNKNOWN', {}, { lastKnown: 'running', since: morning });
  });
});

describe('unpause', () => {
  const requestId = id('now-unpause');

  it('continues a frozen guest, whether or not a hot image was taken of it', () => {
    for (const history of [paused, frozen]) {
      given(...history)
        .when(command('unpause'))
        .accepted({ type: 'UnpauseRequested', data: { requestId, hostId: h1, epoch: 1, deadline: evening } });
    }
  });

  it('makes that hot image void', () => {
    const ranOn = [...frozen, event('UnpauseRequested'), event('WorkspaceUnpaused')];
    given(...ranOn, event('StopRequested'), event('WorkspaceStopped'))
      .when(command('start', { from: 'hot-image' }))
      .refused('NO_HOT_IMAGE', { from: 'hot-image' }, { power: 'shutdown' });
  });

  it('has nothing to do for a running guest', () => {
    given(...running)
      .when(command('unpause'))
      .alreadyDone();
  });

  it('refuses where nothing is frozen', () => {
    given(...staged)
      .when(command('unpause'))
      .refused('NOT_PAUSED', {}, { power: 'shutdown' });
    given(...shelved)
      .when(command('unpause'))
      .refused('NOT_PAUSED', {}, { power: 'serialised' });
  });

  it('refuses a corrupted workspace', () => {
    given(...corruptedPaused)
      .when(command('unpause'))
      .refused('CORRUPTED', {}, { attempted: 'serialise', evidence: 'no room' });
  });

  it('refuses while nobody knows whether the guest runs', () => {
    given(...silent)
      .when(command('unpause'))
      .refused('POWER_UNKNOWN', {}, { lastKnown: 'running', since: morning });
  });

  it('refuses when the lifetime is over', () => {
    given(...expiredWhen(paused))
      .when(command('unpause'))
      .refused('EXPIRED', { at: noon }, { expiresAt: noon - 100 });
  });
});

describe('serialise', () => {
  it('writes a frozen guest to a hot image', () => {
    given(...paused)
      .when(command('serialise'))
      .accepted({
        type: 'SerialiseRequested',
        data: { requestId: id('now-serialise'), hostId: h1, epoch: 1, deadline: evening },
      });
  });

  it('has nothing to do while the last hot image is still the guest’s state', () => {
    for (const history of [frozen, shelved]) {
      given(...history)
        .when(command('serialise'))
        .alreadyDone();
    }
  });

  it('refuses a running guest', () => {
    given(...running)
      .when(command('serialise'))
      .refused('RUNNING', {}, { power: 'running' });
  });

  it('refuses where nothing is frozen', () => {
    given(...staged)
      .when(command('serialise'))
      .refused('NOT_PAUSED', {}, { power: 'shutdown' });
  });

  it('refuses while nobody knows whether the guest runs', () => {
    given(...silent)
      .when(command('serialise'))
      .refused('POWER_UNKNOWN', {}, { lastKnown: 'running', since: morning });
  });
});

describe('stop', () => {
  const requestId = id('now-stop');

  it('ends a running guest, a frozen one, and one that nobody has seen', () => {
    for (const history of [running, paused, frozen, silent, expiredRunning, corruptedPaused]) {
      given(...history)
        .when(command('stop', { mode: 'hard', graceMs: 0 }))
        .accepted({
          type: 'StopRequested',
          data: { requestId, hostId: h1, epoch: 1, deadline: evening, mode: 'hard', graceMs: 0 },
        });
    }
  });

  it('has nothing to do at rest', () => {
    for (const history of [staged, shelved, suspect, corruptedOnHost]) {
      given(...history)
        .when(command('stop'))
        .alreadyDone();
    }
  });

  it('is the ledger’s once the lifetime is over, and not before', () => {
    given(...expiredRunning)
      .when(command('stop', { by: ledgerSubject }))
      .accepted(event('StopRequested', { requestId }));
    given(...running)
      .when(command('stop', { by: ledgerSubject }))
      .refused('LOCK_HELD', { by: ledgerSubject }, lockHeld);
  });
});

describe.each(['start', 'pause', 'unpause', 'serialise', 'stop'] as const)('any command on the guest: %s', (type) => {
  it('is the holder’s', () => {
    given(...running)
      .when({ ...command(type), by: bob })
      .refused('LOCK_HELD', { by: bob }, lockHeld);
  });

  it('waits for the open intent', () => {
    given(...starting)
      .when(command(type))
      .refused(
        'INTENT_OPEN',
        {},
        { intent: 'start', requestId: 'start', hostId: h1, since: morning, deadline: evening },
      );
  });

  it('needs a host', () => {
    for (const history of [created, checkedOut]) {
      given(...history)
        .when(command(type))
        .refused('NOT_DEPLOYED', {}, { placement: 'none' });
    }
  });
});
