import { describe, expect, it } from 'vitest';
import { ann, bob, command, digestOf, evening, event, given, h1, hot, id, kernel, noon } from '../testing/scenario.js';
import { situations, stolen } from '../testing/situations.js';
import { ledgerSubject } from './commands.js';

const {
  created,
  checkedOut,
  deploying,
  deployFailed,
  staged,
  starting,
  running,
  paused,
  frozen,
  shelved,
  suspect,
  undeploying,
  silent,
  corruptedAtHome,
  corruptedOnHost,
  corruptedPaused,
  expiredRunning,
} = situations;
const lockHeld = { holder: ann, epoch: 1, leaseUntil: evening };

describe('cancel', () => {
  it('asks the host; the intent stays open until the host has spoken', () => {
    given(...starting)
      .when(command('cancel'))
      .accepted({ type: 'CancelRequested', data: { requestId: id('start'), reason: 'too slow' } });
    expect(given(...starting, event('CancelRequested', { requestId: id('start') })).state.intent).toMatchObject({
      kind: 'start',
      requestId: 'start',
      cancelRequested: true,
    });
  });

  it('asks once', () => {
    given(...deploying, event('CancelRequested'))
      .when(command('cancel'))
      .alreadyDone();
  });

  it('needs something to cancel', () => {
    given(...running)
      .when(command('cancel'))
      .refused('NO_INTENT', {}, {});
  });

  it('is the holder’s, the thief’s, and the ledger’s once the lifetime is over', () => {
    const cancelled = event('CancelRequested', { requestId: id('start') });
    given(...starting)
      .when(command('cancel', { by: bob }))
      .refused('LOCK_HELD', { by: bob }, lockHeld);
    given(...stolen(starting))
      .when(command('cancel', { by: bob }))
      .accepted(cancelled);
    given(...starting, event('LifetimeSet'), event('WorkspaceExpired'))
      .when(command('cancel', { by: ledgerSubject }))
      .accepted(cancelled);
  });
});

describe('repair', () => {
  it.each([
    ['suspect', suspect],
    ['corrupted at home', corruptedAtHome],
    ['corrupted on a host', corruptedOnHost],
  ])('clears what was %s', (_, history) => {
    given(...history)
      .when(command('repair'))
      .accepted({ type: 'WorkspaceRepaired', data: { reason: 'looked at', discardedHotImage: false } });
    expect(given(...history, event('WorkspaceRepaired')).state.integrity).toEqual({ kind: 'ok' });
  });

  it('may bring another image, but not under a deployment', () => {
    const image = { ...kernel, digest: digestOf('c') };
    given(...corruptedAtHome)
      .when(command('repair', { image }))
      .accepted(event('WorkspaceRepaired', { image }));
    expect(given(...corruptedAtHome, event('WorkspaceRepaired', { image })).state.image).toEqual(image);
    given(...corruptedOnHost)
      .when(command('repair', { image }))
      .refused('DEPLOYED', { image: 'tiny' }, { hostId: h1 });
  });

  it('may throw the hot image away, where there is one', () => {
    const discardHotImage = true;
    const corrupt = event('WorkspaceCorrupted');
    given(...shelved, corrupt)
      .when(command('repair', { discardHotImage }))
      .accepted(event('WorkspaceRepaired', { discardedHotImage: true }));
    given(...corruptedOnHost)
      .when(command('repair', { discardHotImage }))
      .refused('NO_HOT_IMAGE', { discardHotImage: true }, { power: 'shutdown' });
  });

  it.each([
    ['nothing is left at rest', shelved, { kind: 'shutdown' }],
    ['the frozen guest is left in memory', frozen, { kind: 'paused' }],
    [
      'unknown stays unknown',
      [...frozen, event('PlacementBecameUnknown', { lastKnown: 'serialised' })],
      { kind: 'unknown', lastKnown: 'serialised', since: 1_000 },
    ],
    ['a running guest runs on', running, { kind: 'running' }],
  ] as const)('without its hot image, %s', (_, history, power) => {
    expect(given(...history, event('WorkspaceRepaired', { discardedHotImage: true })).state.power).toEqual(power);
  });

  it('has nothing to do on a sound workspace', () => {
    given(...running)
      .when(command('repair'))
      .alreadyDone();
  });

  it('waits for the open intent', () => {
    given(...corruptedOnHost, event('UndeployRequested'))
      .when(command('repair'))
      .refused(
        'INTENT_OPEN',
        {},
        { intent: 'undeploy', requestId: 'undeploy', hostId: h1, since: 1_000, deadline: evening },
      );
  });

  it('is the holder’s', () => {
    given(...corruptedPaused)
      .when(command('repair', { by: bob }))
      .refused('LOCK_HELD', { by: bob }, lockHeld);
  });
});

describe('override', () => {
  it.each([
    ['deploying', deploying, id('deploy')],
    ['starting', starting, id('start')],
    ['undeploying', undeploying, id('undeploy')],
    ['running', running, undefined],
    ['silent', silent, undefined],
  ])('lets go of host, lock and intent: %s', (_, history, closedRequestId) => {
    given(...history)
      .when(command('override', { by: bob }))
      .accepted({
        type: 'OperatorOverrode',
        data: { hostId: h1, epoch: 1, closedRequestId, asserted: 'guest-absent', reason: 'unplugged' },
      });
    expect(given(...history, event('OperatorOverrode', { closedRequestId })).state).toMatchObject({
      placement: { kind: 'none' },
      lock: { kind: 'free', lastEpoch: 1 },
      power: { kind: 'shutdown' },
      intent: { kind: 'none' },
    });
  });

  it('keeps the hot image', () => {
    for (const history of [frozen, [...frozen, event('PlacementBecameUnknown')]]) {
      expect(given(...history, event('OperatorOverrode')).state.power).toEqual({
        kind: 'serialised',
        hotImage: hot,
        guest: 'none',
      });
    }
  });

  it('has nothing to do at home: steal-lock takes a lock', () => {
    for (const history of [created, checkedOut, deployFailed]) {
      given(...history)
        .when(command('override'))
        .alreadyDone();
    }
  });

  it('makes everything that the host says afterwards stale', () => {
    const overridden = [...starting, event('OperatorOverrode', { closedRequestId: id('start') })];
    given(...overridden)
      .hearing({ kind: 'observed', guest: 'running', cause: 'inventory' })
      .isStale(1);
    given(...overridden, event('WorkspaceCheckedOut', { epoch: 2 }))
      .hearing({ kind: 'failed', class: 'host', reason: 'no room', guest: 'absent' }, { requestId: id('start') })
      .isStale(2);
  });
});

describe('mark-unknown', () => {
  it.each([
    ['running', running],
    ['paused', paused],
    ['serialised', frozen],
    ['shutdown', staged],
  ] as const)('remembers what was last known: %s', (lastKnown, history) => {
    given(...history)
      .when(command('mark-unknown', { by: ledgerSubject }))
      .accepted({
        type: 'PlacementBecameUnknown',
        data: { hostId: h1, epoch: 1, lastKnown, since: noon, reason: 'silence' },
      });
  });

  it('leaves placement, lock, hot image and intent as they were', () => {
    const before = given(...frozen, event('UnpauseRequested')).state;
    const after = given(...frozen, event('UnpauseRequested'), event('PlacementBecameUnknown')).state;
    expect(after).toMatchObject({ placement: before.placement, lock: before.lock, intent: before.intent });
    expect(after.power).toMatchObject({ kind: 'unknown', hotImage: hot });
  });

  it('has nothing to do at home, or twice', () => {
    for (const history of [checkedOut, silent]) {
      given(...history)
        .when(command('mark-unknown'))
        .alreadyDone();
    }
  });

  it('is said of an expired workspace as of any other', () => {
    given(...expiredRunning)
      .when(command('mark-unknown'))
      .accepted(event('PlacementBecameUnknown', { since: noon }));
  });
});
