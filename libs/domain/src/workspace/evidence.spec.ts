import { describe, expect, it } from 'vitest';
import {
  ann,
  bob,
  digestOf,
  event,
  given,
  h1,
  h2,
  hot,
  id,
  kernel,
  recorded,
  stateHeard,
  vmm,
} from '../testing/scenario.js';
import { type Situation, situations, stolen } from '../testing/situations.js';
import type { FailureFields, WorkspaceEvent } from './events.js';
import { interpretEvidence, type Observation } from './evidence.js';
import { foldWorkspace } from './evolve.js';
import type { IntentKind } from './state.js';

const {
  checkedOut,
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
  undeploying,
  undeployed,
  silent,
  silentWhileStopping,
  corruptedOnHost,
} = situations;

const done: { readonly [Kind in IntentKind]: Observation } = {
  deploy: { kind: 'deployed', imageDigest: kernel.digest },
  start: { kind: 'started', from: 'image', vmm },
  pause: { kind: 'paused' },
  unpause: { kind: 'unpaused' },
  serialise: { kind: 'serialised', hotImage: hot },
  stop: { kind: 'stopped' },
  undeploy: { kind: 'undeployed', imageDigest: digestOf('b') },
};

const open: { readonly [Kind in IntentKind]: readonly WorkspaceEvent[] } = {
  deploy: deploying,
  start: starting,
  pause: pausing,
  unpause: unpausing,
  serialise: serialising,
  stop: stopping,
  undeploy: undeploying,
};
const kinds = Object.keys(open) as IntentKind[];

const outcome: { readonly [Kind in IntentKind]: readonly WorkspaceEvent[] } = {
  deploy: [event('WorkspaceDeployed')],
  start: [event('WorkspaceStarted')],
  pause: [event('WorkspacePaused')],
  unpause: [event('WorkspaceUnpaused')],
  serialise: [event('HotImageCaptured')],
  stop: [event('WorkspaceStopped')],
  undeploy: [event('WorkspaceUndeployed'), event('WorkspaceCheckedIn')],
};

const failureOf: { readonly [Kind in IntentKind]: (over: Partial<FailureFields>) => WorkspaceEvent } = {
  deploy: (over) => event('DeployFailed', over),
  start: (over) => event('StartFailed', over),
  pause: (over) => event('PauseFailed', over),
  unpause: (over) => event('UnpauseFailed', over),
  serialise: (over) => event('SerialiseFailed', over),
  stop: (over) => event('StopFailed', over),
  undeploy: (over) => event('UndeployFailed', over),
};

const noRoom = (guest: 'running' | 'paused' | 'absent', because: FailureFields['class'] = 'host'): Observation => ({
  kind: 'failed',
  class: because,
  reason: 'no room',
  guest,
});
const seen = (guest: 'running' | 'paused' | 'absent'): Observation => ({ kind: 'observed', guest, cause: 'it died' });
const after = (...events: readonly WorkspaceEvent[]) => foldWorkspace(recorded(events));

describe.each(kinds)('the outcome of %s', (kind) => {
  const requestId = id(kind);

  it('is what the host reports', () => {
    given(...open[kind])
      .hearing(done[kind], { requestId })
      .records(...outcome[kind]);
  });

  it('is also a failure, with the guest as the VMM showed it', () => {
    given(...open[kind])
      .hearing(noRoom('absent'), { requestId })
      .records(failureOf[kind]({ guest: 'absent' }));
  });

  it('closes the intent', () => {
    expect(after(...open[kind], ...outcome[kind]).intent).toEqual({ kind: 'none' });
    expect(after(...open[kind], failureOf[kind]({ guest: 'absent' })).intent).toEqual({ kind: 'none' });
  });

  it('is still welcome after a cancel, after a theft, and when nobody knew any more', () => {
    for (const meanwhile of [
      event('CancelRequested', { requestId }),
      event('LockStolen', { from: ann, holder: bob }),
      event('PlacementBecameUnknown'),
    ]) {
      const lock = meanwhile.type === 'LockStolen' ? { holder: bob } : {};
      given(...open[kind], meanwhile)
        .hearing(done[kind], { requestId })
        .records(...outcome[kind].map((each) => (each.type === 'WorkspaceCheckedIn' ? event(each.type, lock) : each)));
    }
  });

  it('comes from nothing but its own answer', () => {
    for (const other of kinds.filter((each) => each !== kind)) {
      given(...open[kind])
        .hearing(done[other], { requestId })
        .ignores('contradicts-intent');
    }
  });

  it('is late for another request, and without one', () => {
    given(...open[kind])
      .hearing(done[kind], { requestId: id('another') })
      .ignores('late');
    given(...open[kind])
      .hearing(done[kind])
      .ignores('late');
  });

  it('is recorded once', () => {
    const again = given(...open[kind], ...outcome[kind]).hearing(done[kind], { requestId });
    if (kind === 'undeploy') again.isStale(1);
    else again.ignores('late');
  });

  it('is stale from another host or of another epoch', () => {
    for (const from of [{ hostId: h2 }, { epoch: 2 }, { epoch: 0 }]) {
      given(...open[kind])
        .hearing(done[kind], { requestId, ...from })
        .isStale(1);
    }
  });

  it('corrupts the workspace in the same append when the bytes are wrong', () => {
    given(...open[kind])
      .hearing(noRoom('absent', 'corrupt'), { requestId })
      .records(
        failureOf[kind]({ guest: 'absent', class: 'corrupt' }),
        event('WorkspaceCorrupted', { attempted: kind, evidence: 'no room', hostId: h1, epoch: 1 }),
      );
  });
});

describe('what a host may not say', () => {
  it.each(['deploy', 'start'] as const)('that %s failed while a guest is there', (kind) => {
    for (const guest of ['running', 'paused'] as const) {
      given(...open[kind])
        .hearing(noRoom(guest), { requestId: id(kind) })
        .ignores('contradicts-intent');
    }
  });

  it('that it staged other bytes than the deployment authorised', () => {
    given(...deploying)
      .hearing({ kind: 'deployed', imageDigest: digestOf('c') }, { requestId: id('deploy') })
      .ignores('contradicts-intent');
  });

  it('anything, where no host has the workspace', () => {
    given(...checkedOut)
      .hearing(seen('running'))
      .isStale(1);
    given(...undeployed)
      .hearing(seen('running'))
      .isStale(1);
    given().hearing(seen('running')).isStale(0);
  });
});

describe('release', () => {
  it('frees the lock in the same append as the confirmed absence', () => {
    expect(after(...undeploying, ...outcome.undeploy).lock).toEqual({ kind: 'free', lastEpoch: 1 });
  });

  it('frees it from a thief too: the absence was confirmed, whoever holds it', () => {
    given(...stolen(undeploying))
      .hearing(done.undeploy, { requestId: id('undeploy') })
      .records(event('WorkspaceUndeployed'), event('WorkspaceCheckedIn', { holder: bob }));
  });

  it('carries the hot image captured on the way', () => {
    given(...paused, event('UndeployRequested', { captureHotImage: true }))
      .hearing({ kind: 'undeployed', imageDigest: digestOf('b'), hotImage: hot }, { requestId: id('undeploy') })
      .records(event('WorkspaceUndeployed', { hotImage: hot }), event('WorkspaceCheckedIn'));
  });

  it('does not happen when undeploying fails: host, epoch and lock stay', () => {
    const { placement, lock, power } = after(
      ...paused,
      event('UndeployRequested'),
      event('UndeployFailed', { guest: 'paused' }),
    );
    expect({ placement, lock, power }).toMatchObject({
      placement: { kind: 'staged', hostId: h1, epoch: 1 },
      lock: { kind: 'held', holder: ann, epoch: 1 },
      power: { kind: 'paused' },
    });
  });

  it('does not follow a failed deployment: the lock waits for its holder', () => {
    expect(after(...deployFailed)).toMatchObject({
      placement: { kind: 'none' },
      lock: { kind: 'held', holder: ann, epoch: 1, spent: true },
    });
  });
});

describe('corruption', () => {
  it('is recorded once', () => {
    given(...corruptedOnHost, event('UndeployRequested'))
      .hearing(noRoom('absent', 'corrupt'), { requestId: id('undeploy') })
      .records(event('UndeployFailed', { guest: 'absent', class: 'corrupt' }));
  });
});

describe('drift', () => {
  const drift = (
    believed: 'running' | 'paused' | 'serialised' | 'shutdown' | 'unknown',
    observed: 'running' | 'paused' | 'absent',
  ) => event('DriftDetected', { believed, observed });

  it.each([
    ['a guest that died', running, 'running', 'absent'],
    ['a guest that was paused by hand', running, 'running', 'paused'],
    ['a guest that runs though frozen', paused, 'paused', 'running'],
    ['a frozen guest that is gone', frozen, 'serialised', 'absent'],
    ['a guest that runs though stopped', staged, 'shutdown', 'running'],
    ['a guest that runs though shelved', shelved, 'serialised', 'running'],
  ] as const)('records %s', (_, history, believed, observed) => {
    given(...history)
      .hearing(seen(observed))
      .records(drift(believed, observed));
  });

  it.each([
    ['running', running, 'running'],
    ['paused', paused, 'paused'],
    ['frozen', frozen, 'paused'],
    ['shelved', shelved, 'absent'],
    ['stopped', staged, 'absent'],
  ] as const)('records nothing where the belief is right: %s', (_, history, observed) => {
    given(...history)
      .hearing(seen(observed))
      .ignores('known-already');
  });

  it('waits while an intent is open: its own answer will tell', () => {
    for (const history of [starting, stopping, undeploying]) {
      given(...history)
        .hearing(seen('paused'))
        .ignores('late');
    }
  });

  it('ends not knowing, whatever it shows, intent or none', () => {
    for (const guest of ['running', 'paused', 'absent'] as const) {
      for (const history of [silent, silentWhileStopping]) {
        given(...history)
          .hearing(seen(guest))
          .records(drift('unknown', guest));
      }
    }
    expect(after(...silentWhileStopping, drift('unknown', 'running'))).toMatchObject({
      power: { kind: 'running' },
      intent: { kind: 'stop' },
    });
  });

  it('is no drift when a newer word of the same boot is on record: evidence comes again until it is acknowledged', () => {
    const state = stateHeard('boot1', 7, ...staged);
    const speaking = (bootId: string, seq: number) =>
      interpretEvidence(state, { hostId: h1, epoch: 1, bootId, seq, observation: seen('running') });
    expect(speaking('boot1', 6)).toEqual({ kind: 'ignored', because: 'late' });
    expect(speaking('boot1', 7)).toEqual({ kind: 'ignored', because: 'late' });
    expect(speaking('boot1', 8)).toEqual({ kind: 'events', events: [drift('shutdown', 'running')] });
    expect(speaking('boot2', 1)).toEqual({ kind: 'events', events: [drift('shutdown', 'running')] });
  });
});

describe('integrity after a guest is gone', () => {
  const suspect = { kind: 'suspect', cause: 'it died' };
  const vanished = event('DriftDetected', { observed: 'absent' });
  const silence = (lastKnown: 'shutdown' | 'running' | 'paused' | 'serialised') =>
    event('PlacementBecameUnknown', { lastKnown });

  it.each([
    ['running', [...running, vanished], suspect],
    ['paused', [...paused, vanished], suspect],
    ['running when last seen', [...running, silence('running'), vanished], suspect],
    ['perhaps started in silence', [...starting, silence('shutdown'), vanished], suspect],
    ['perhaps unpaused in silence', [...frozen, event('UnpauseRequested'), silence('serialised'), vanished], suspect],
    ['frozen, its state safe in a hot image', [...frozen, vanished], { kind: 'ok' }],
    ['never there', [...staged, silence('shutdown'), vanished], { kind: 'ok' }],
    ['being stopped', [...silentWhileStopping, vanished], { kind: 'ok' }],
  ])('%s', (_, history, integrity) => {
    expect(after(...history).integrity).toEqual(integrity);
  });

  it.each([
    ['pausing', event('PauseFailed', { guest: 'absent' }), 'suspect'],
    ['pausing', event('PauseFailed', { guest: 'running' }), 'ok'],
    ['unpausing', event('UnpauseFailed', { guest: 'absent' }), 'suspect'],
    ['serialising', event('SerialiseFailed', { guest: 'absent' }), 'suspect'],
    ['undeploying', event('UndeployFailed', { guest: 'absent' }), 'ok'],
    ['stopping', event('StopFailed', { guest: 'absent' }), 'ok'],
    ['starting', event('StartFailed', { guest: 'absent' }), 'ok'],
  ] as const)('%s, then %o', (name: Situation, failure, kind) => {
    expect(after(...situations[name], failure).integrity.kind).toBe(kind);
  });

  it('is suspect when a paused guest was lost on the way home', () => {
    expect(
      after(...paused, event('UndeployRequested'), event('UndeployFailed', { guest: 'absent' })).integrity.kind,
    ).toBe('suspect');
  });

  it('is sound again once a guest has started; corrupted is only ever repaired', () => {
    expect(after(...running, vanished, event('StartRequested'), event('WorkspaceStarted')).integrity).toEqual({
      kind: 'ok',
    });
    expect(after(...corruptedOnHost, event('WorkspaceStarted'), vanished).integrity.kind).toBe('corrupted');
  });
});
