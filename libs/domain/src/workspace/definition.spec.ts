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
  hot,
  kernel,
  night,
  noon,
  stateAfter,
  tiny,
  w1,
} from '../testing/scenario.js';
import { situations } from '../testing/situations.js';
import type { WorkspaceDescription } from '../description.js';
import type { ImageRef } from './events.js';

const { created, checkedOut, deploying, staged, expired, corruptedAtHome, undeployed, undeployedHot, retired } =
  situations;
const lockHeld = { holder: ann, epoch: 1, leaseUntil: evening };

describe('create', () => {
  it('makes whoever asks the owner', () => {
    given()
      .when(command('create', { by: bob }))
      .accepted({ type: 'WorkspaceCreated', data: { workspaceId: w1, owner: bob, description: tiny, image: kernel } });
  });

  it('counts the lifetime from now', () => {
    const description = { ...tiny, lifetime: { seconds: 2 } };
    given()
      .when(command('create', { description }))
      .accepted(event('WorkspaceCreated', { description, expiresAt: noon + 2_000 }));
  });

  it('does not wait for an image', () => {
    given()
      .when(command('create', { image: undefined }))
      .accepted(event('WorkspaceCreated', { image: undefined }));
  });

  it('refuses a name that is taken', () => {
    given(...created)
      .when(command('create', { by: bob }))
      .refused('ALREADY_EXISTS', { workspaceId: w1 }, { owner: ann });
  });
});

describe('clone', () => {
  it.each([
    ['the disk as the last host left it', undeployed, { ...kernel, digest: digestOf('b') }],
    ['nothing of a hot image', undeployedHot, kernel],
  ])('takes definition and image: %s', (_, history, image) => {
    given()
      .when(command('clone', { by: bob, source: stateAfter(...history) }))
      .accepted({
        type: 'WorkspaceCreated',
        data: {
          workspaceId: w1,
          owner: bob,
          description: tiny,
          image,
          clonedFrom: { workspaceId: w1, revision: history.length - 1 },
        },
      });
  });

  it('may have a name of its own, and has a lifetime of its own', () => {
    const description = { ...tiny, lifetime: { seconds: 1 } };
    const source = stateAfter(event('WorkspaceCreated', { description, expiresAt: 5 }));
    given()
      .when(command('clone', { source, name: 'copy' }))
      .accepted(
        event('WorkspaceCreated', {
          description: { ...description, name: 'copy' },
          clonedFrom: { workspaceId: w1, revision: 0 },
          expiresAt: noon + 1_000,
        }),
      );
  });

  it('needs a source', () => {
    given()
      .when(command('clone', { source: stateAfter() }))
      .refused('NOT_FOUND', { source: '' }, {});
  });

  it('refuses a retired source', () => {
    given()
      .when(command('clone', { source: stateAfter(...retired) }))
      .refused('RETIRED', { source: w1 }, {});
  });

  it('refuses a corrupted source', () => {
    given()
      .when(command('clone', { source: stateAfter(...corruptedAtHome) }))
      .refused('CORRUPTED', { source: w1 }, { evidence: 'no room' });
  });
});

describe('refine', () => {
  const other = { ...tiny, name: 'other' };
  const image: ImageRef = { ...kernel, digest: digestOf('c') };
  const reversed = Object.fromEntries(Object.entries(tiny).toReversed()) as unknown as WorkspaceDescription;

  it('records only what changes', () => {
    given(...created)
      .when(command('refine', { description: other, image: { ...kernel } }))
      .accepted({ type: 'WorkspaceRefined', data: { description: other } });
    given(...checkedOut)
      .when(command('refine', { description: { ...tiny }, image }))
      .accepted({ type: 'WorkspaceRefined', data: { image } });
  });

  it.each([
    ['nothing', {}],
    ['the same in another order', { description: reversed }],
    ['a key without a value', { description: { ...tiny, capabilities: undefined } }],
    ['the same image', { image: { ...kernel } }],
  ])('has nothing to do for %s', (_, over) => {
    given(...created)
      .when(command('refine', { description: undefined, ...over }))
      .alreadyDone();
  });

  it.each([
    ['a list one longer', { ...tiny, disks: [{ role: 'swap' as const }] }],
    ['a value instead of none', { ...tiny, lifetime: { seconds: 1 } }],
    ['a deep difference', { ...tiny, network: { nics: [{ name: 'eth0', acquisition: 'allocate' as const }] } }],
  ])('sees %s', (_, description) => {
    given(...created)
      .when(command('refine', { description }))
      .accepted({ type: 'WorkspaceRefined', data: { description } });
  });

  it('waits until the workspace has left its host', () => {
    given(...staged)
      .when(command('refine'))
      .refused('DEPLOYED', {}, { placement: 'staged', hostId: h1, epoch: 1 });
  });

  it('waits for the open intent', () => {
    given(...deploying)
      .when(command('refine'))
      .refused(
        'INTENT_OPEN',
        {},
        { intent: 'deploy', requestId: 'deploy', hostId: h1, since: 1_000, deadline: evening },
      );
  });

  it('is the holder’s', () => {
    given(...checkedOut)
      .when(command('refine', { by: bob }))
      .refused('LOCK_HELD', { by: bob }, lockHeld);
  });
});

describe('set-lifetime', () => {
  it('sets an end, or none', () => {
    given(...created)
      .when(command('set-lifetime', { expiresAt: night }))
      .accepted({ type: 'LifetimeSet', data: { expiresAt: night } });
    given(...expired)
      .when(command('set-lifetime', { expiresAt: null }))
      .accepted({ type: 'LifetimeSet', data: { expiresAt: null } });
  });

  it('has nothing to do for the same end', () => {
    given(...created, event('LifetimeSet', { expiresAt: night }))
      .when(command('set-lifetime', { expiresAt: night }))
      .alreadyDone();
    given(...created)
      .when(command('set-lifetime', { expiresAt: null }))
      .alreadyDone();
  });

  it('revives what had expired', () => {
    const { state } = given(...expired, event('LifetimeSet', { expiresAt: night }));
    expect(state).toMatchObject({ expired: false, expiresAt: night });
  });

  it('refuses an end that is not to come', () => {
    given(...created)
      .when(command('set-lifetime', { expiresAt: noon }))
      .refused('INVALID', { expiresAt: noon }, { now: noon });
  });

  it('is the holder’s', () => {
    given(...staged)
      .when(command('set-lifetime', { by: bob }))
      .refused('LOCK_HELD', { by: bob }, lockHeld);
  });
});

describe('expire', () => {
  const ending = [...created, event('LifetimeSet', { expiresAt: noon })];

  it('is recorded when the end has come, not before', () => {
    given(...ending)
      .when(command('expire', { at: noon }))
      .accepted({ type: 'WorkspaceExpired', data: { expiresAt: noon } });
    given(...ending)
      .when(command('expire', { at: noon - 1 }))
      .alreadyDone();
  });

  it('is recorded once, and never without an end', () => {
    given(...expired)
      .when(command('expire'))
      .alreadyDone();
    given(...created)
      .when(command('expire'))
      .alreadyDone();
  });

  it('need not be recorded to be so', () => {
    given(...ending)
      .when(command('deploy'))
      .refused('EXPIRED', { at: noon }, { expiresAt: noon });
  });
});

describe('retire', () => {
  it('ends a free workspace', () => {
    given(...created)
      .when(command('retire', { by: bob }))
      .accepted({ type: 'WorkspaceRetired', data: { reason: 'done with' } });
  });

  it('gives its lock back first', () => {
    given(...checkedOut)
      .when(command('retire'))
      .accepted(
        { type: 'WorkspaceCheckedIn', data: { holder: ann, epoch: 1, because: 'retired' } },
        { type: 'WorkspaceRetired', data: { reason: 'done with' } },
      );
  });

  it('ends a corrupted one too, with its hot image', () => {
    given(...corruptedAtHome)
      .when(command('retire'))
      .accepted(event('WorkspaceCheckedIn', { because: 'retired' }), event('WorkspaceRetired'));
    expect(given(...undeployedHot, event('WorkspaceRetired')).state.power).toMatchObject({ hotImage: hot });
  });

  it('waits until the workspace has left its host', () => {
    given(...staged)
      .when(command('retire'))
      .refused('DEPLOYED', {}, { placement: 'staged', hostId: h1, epoch: 1 });
  });

  it('is the holder’s', () => {
    given(...checkedOut)
      .when(command('retire', { by: bob }))
      .refused('LOCK_HELD', { by: bob }, lockHeld);
  });

  it('is done once', () => {
    given(...retired)
      .when(command('retire'))
      .alreadyDone();
  });
});
