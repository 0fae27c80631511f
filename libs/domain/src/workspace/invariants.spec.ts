/**
 * The invariants of PROTOCOL.md that the domain alone can keep, after every step of random walks through the World: any commands by anybody at any
 * time, any mail late, lost, repeated or out of order, hosts that obey the agent's rules, and forged evidence beside.
 */
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Luck } from '../testing/hosts.js';
import { command, commandTypes, eventTypes } from '../testing/scenario.js';
import { type Change, type Move, people, World } from '../testing/world.js';
import { decideWorkspace } from './decide.js';
import { foldWorkspace, hotImageOf } from './evolve.js';
import type { Power } from './state.js';

// Without fast-check's bias to small numbers, which would choose the same few again and again.
const small = fc.noBias(fc.nat(9));
const luck: fc.Arbitrary<Luck> = fc.oneof(
  { weight: 20, arbitrary: fc.constant<Luck>('good') },
  { weight: 3, arbitrary: fc.constantFrom<Luck>('no-room', 'bad-bytes', 'guest-dies') },
);
const pick = fc.oneof({ weight: 2, arbitrary: fc.constant(0) }, { weight: 3, arbitrary: fc.noBias(fc.nat(40)) });
const asks: fc.Arbitrary<Move> = fc.record({
  kind: fc.constant('ask' as const),
  type: fc.oneof(
    ...commandTypes
      .filter((type) => type !== 'override')
      // Nothing follows a retirement, so there are few.
      .map((type) => ({ weight: type === 'retire' ? 1 : 6, arbitrary: fc.constant(type) })),
  ),
  by: fc.nat(people.length - 1),
  option: small,
});
const advances: fc.Arbitrary<Move> = fc.record({ kind: fc.constant('advance' as const), pick: small, option: small });
const serves: fc.Arbitrary<Move> = fc.record({ kind: fc.constant('serve' as const), luck });
const looks: fc.Arbitrary<Move> = fc.record({
  kind: fc.constantFrom('look' as const, 'lose-guest' as const),
  host: small,
});
const ticks: fc.Arbitrary<Move> = fc.record({ kind: fc.constant('tick' as const), ms: fc.nat(30) });
const overrides: fc.Arbitrary<Move> = fc.record({ kind: fc.constant('override' as const), truthfully: fc.boolean() });
const mail: fc.Arbitrary<Move> = fc.oneof(
  fc.record({ kind: fc.constant('deliver-task' as const), pick, luck }),
  fc.record({ kind: fc.constant('deliver-evidence' as const), pick }),
);
const forgeries: fc.Arbitrary<Move> = fc.record({
  kind: fc.constant('forge' as const),
  lie: fc.constantFrom('wrong-host', 'another-request', 'lower-epoch', 'higher-epoch', 'contradiction'),
  pick: small,
});
const moves: fc.Arbitrary<Move> = fc.oneof(
  { weight: 10, arbitrary: asks },
  { weight: 20, arbitrary: advances },
  { weight: 28, arbitrary: serves },
  { weight: 18, arbitrary: mail },
  { weight: 8, arbitrary: looks },
  { weight: 4, arbitrary: ticks },
  { weight: 1, arbitrary: overrides },
  { weight: 4, arbitrary: forgeries },
);
const walks = fc.array(moves, { maxLength: 240, size: 'max' });

/** Guests that an operator did not vouch away. */
function guests(world: World) {
  return world.hosts.flatMap(({ hostId, guest }) =>
    guest === undefined || guest.epoch <= (world.falselyVouched.get(hostId) ?? 0)
      ? []
      : [{ hostId, epoch: guest.epoch }],
  );
}

/** What must hold between any two moves. */
function holds(world: World): void {
  const { state, log } = world;
  const { lock, placement, intent } = state;
  const here = guests(world);
  if (here.length > 1) expect.fail(`I1: guests on ${here.map(({ hostId }) => hostId).join(' and ')}`);
  for (const guest of here) {
    expect(placement, 'I2: the log knows where the guest is').toMatchObject(guest);
    expect(lock, 'I2: its lock is held at its epoch').toMatchObject({ kind: 'held', epoch: guest.epoch });
  }
  expect(state.revision, 'every event counts').toBe(log.length - 1);
  if (placement.kind === 'none') expect(intent.kind, 'an intent has a host').toBe('none');
  else expect(lock, 'a host has it only under the lock').toMatchObject({ kind: 'held', epoch: placement.epoch });
  if (intent.kind !== 'none') {
    expect(intent, 'an intent is of the placement').toMatchObject({
      hostId: placement.kind === 'none' ? '' : placement.hostId,
      epoch: placement.kind === 'none' ? 0 : placement.epoch,
    });
  }
  const wayOf = { deploy: 'staging', undeploy: 'unstaging' } as const;
  const way = intent.kind === 'deploy' || intent.kind === 'undeploy' ? wayOf[intent.kind] : 'staged';
  if (placement.kind !== 'none') expect(placement.kind, 'on its way as long as the intent is open').toBe(way);
  if (state.definition === 'retired')
    expect({ lock, placement }).toMatchObject({ lock: { kind: 'free' }, placement: { kind: 'none' } });
  for (const meaning of world.forgeries) expect(meaning.kind, 'forged evidence changes nothing').not.toBe('events');
}

const outcomes = /^(Workspace(Deployed|Undeployed|Started|Paused|Unpaused|Stopped)|HotImageCaptured|\w+Failed)$/;

/** What must hold of every event where it was appended. */
function lawful(changes: readonly Change[]): void {
  let granted = 0;
  const deployed = new Set<number>();
  const opened = new Set<string>();
  const closed = new Set<string>();
  const close = (requestId: string) => {
    if (closed.has(requestId)) expect.fail(`I6: a second outcome of ${requestId}`);
    expect(opened, 'I6: an outcome is of an intent').toContain(requestId);
    closed.add(requestId);
  };
  for (const [index, { append, before, event, after }] of changes.entries()) {
    switch (event.type) {
      case 'WorkspaceCheckedOut':
        expect(event.data.epoch, 'I3: the next epoch is one higher').toBe(granted + 1);
        granted += 1;
        break;
      case 'LockStolen': {
        const risen = before.placement.kind === 'none' ? 1 : 0;
        expect(event.data.epoch, 'I3: a theft is a grant where no host has it').toBe(granted + risen);
        granted += risen;
        break;
      }
      case 'DeployRequested':
        expect(event.data.epoch, 'a deployment is under the last grant').toBe(granted);
        if (deployed.has(granted)) expect.fail(`I3: a second deployment under epoch ${granted}`);
        deployed.add(granted);
        break;
      case 'OperatorOverrode':
        if (event.data.closedRequestId !== undefined) close(event.data.closedRequestId);
        break;
      case 'UndeployRequested':
        expect(before.power.kind, 'only from stopped or paused').not.toBe('running');
        break;
      case 'WorkspaceUndeployed':
        expect(changes[index + 1], 'the lock goes in the same append').toMatchObject({
          append,
          event: { type: 'WorkspaceCheckedIn', data: { because: 'undeployed' } },
        });
        break;
    }
    if (event.type.endsWith('Requested') && event.type !== 'CancelRequested' && 'requestId' in event.data) {
      expect(before.intent.kind, 'one intent at a time').toBe('none');
      opened.add(event.data.requestId);
    }
    if (outcomes.test(event.type) && 'requestId' in event.data) close(event.data.requestId);
    if (['StartRequested', 'UnpauseRequested', 'DeployRequested'].includes(event.type)) {
      expect(before.integrity.kind, 'I8: nothing starts a corrupted workspace').not.toBe('corrupted');
    }
    if (before.lock.kind === 'held' && after.lock.kind === 'free' && event.type !== 'OperatorOverrode') {
      expect(before.placement.kind, 'I4: the lock goes only where no host has the workspace').toBe('none');
    }
    if (before.placement.kind !== 'none' && after.placement.kind === 'none') {
      expect(['DeployFailed', 'WorkspaceUndeployed', 'OperatorOverrode'], 'I4: a host lets go by its word').toContain(
        event.type,
      );
    }
  }
}

const visible = (power: Power) => {
  if (power.kind === 'serialised') return power.guest === 'in-memory' ? 'paused' : 'absent';
  return power.kind === 'shutdown' ? 'absent' : power.kind;
};

const good: Move = { kind: 'serve', luck: 'good' };
const ask = (type: 'deploy' | 'start'): Move => ({ kind: 'ask', type, by: 0, option: 0 });
/** Found by a walk: what the host saw before the start came after it, and the guest was believed gone. */
const seenThenStarted: Move[] = [ask('deploy'), good, ask('start'), { kind: 'look', host: 0 }, good];

describe('any walk', { timeout: 60_000 }, () => {
  it('keeps the invariants after every step', () => {
    fc.assert(
      fc.property(walks, (walked) => {
        const world = new World();
        for (const move of walked) {
          world.move(move);
          holds(world);
        }
        lawful(world.changes);
      }),
      { numRuns: 500 },
    );
  });

  it('comes to the same when it is walked or folded again', () => {
    fc.assert(
      fc.property(walks, (walked) => {
        const world = new World(walked);
        expect(JSON.stringify(new World(walked).log)).toBe(JSON.stringify(world.log));
        expect(foldWorkspace(world.log)).toEqual(world.state);
      }),
      { numRuns: 100 },
    );
  });

  it('answers every command, and twice the same', () => {
    fc.assert(
      fc.property(walks, (walked) => {
        const { state } = new World(walked);
        for (const type of commandTypes) {
          const once = decideWorkspace(state, command(type));
          expect(decideWorkspace(state, command(type))).toEqual(once);
          if (once.kind === 'accepted') expect(once.events).not.toHaveLength(0);
        }
      }),
      { numRuns: 200 },
    );
  });

  it('can always be ended: nothing is stuck for ever', () => {
    fc.assert(
      fc.property(walks, (walked) => {
        const world = new World(walked);
        world.move({ kind: 'override', truthfully: true });
        world.decide(command('steal-lock', { by: 'CN=operator' }));
        world.decide(command('retire', { by: 'CN=operator' }));
        expect(world.state.definition).toBe('retired');
      }),
      { numRuns: 200 },
    );
  });

  it('is not changed by any evidence that comes again', () => {
    fc.assert(
      fc.property(walks, fc.nat(), (walked, turn) => {
        const world = new World(walked);
        const host = world.placed();
        if (host === undefined || world.state.intent.kind !== 'none') return;
        const { placement } = world.state;
        const epoch = placement.kind === 'none' ? 0 : placement.epoch;
        world.hear(world.perform({ kind: 'observe', hostId: host.hostId, epoch }, 'good'));
        expect(visible(world.state.power)).toBe(host.shows());
        const before = world.log.length;
        const sent = [...world.evidence];
        for (let index = 0; index < sent.length; index += 1) world.hear(sent[(index * 7 + turn) % sent.length]);
        expect(world.log).toHaveLength(before);
      }),
      { numRuns: 400, examples: [[seenThenStarted, 0]] },
    );
  });

  it('reaches everything that can happen', () => {
    const reached = new Set<string>();
    const ignored = new Set<string>();
    for (const walked of fc.sample(walks, { numRuns: 400, seed: 20_05 })) {
      const world = new World(walked);
      for (const { event } of world.changes) reached.add(event.type);
      for (const meaning of world.forgeries) ignored.add(meaning.kind === 'ignored' ? meaning.because : meaning.kind);
    }
    expect(eventTypes.filter((type) => !reached.has(type))).toEqual([]);
    expect([...ignored].toSorted()).toEqual(['contradicts-intent', 'late', 'stale']);
  });
});

describe('a walk with nothing late or lost', { timeout: 60_000 }, () => {
  const attentive = fc.oneof(
    { weight: 4, arbitrary: asks },
    { weight: 8, arbitrary: advances },
    { weight: 1, arbitrary: ticks },
    { weight: 1, arbitrary: overrides },
  );

  it('believes of the guest and its hot image what is true', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(attentive, luck, fc.nat(12)), { maxLength: 80, size: 'max' }), (walked) => {
        const world = new World();
        /** The hot image that is the guest's last state: void as soon as it runs on. */
        let latest: string | undefined;
        let looked = 0;
        const look = () => {
          const host = world.placed();
          for (const { before, event } of world.changes.slice(looked)) {
            if (event.type === 'HotImageCaptured') latest = event.data.hotImage.digest;
            if (event.type === 'WorkspaceUndeployed') {
              latest = event.data.hotImage?.digest ?? latest;
              if (before.power.kind === 'paused')
                expect(latest, 'a computation goes home with its workspace').toBeDefined();
            }
            if (event.type === 'WorkspaceRepaired' && event.data.discardedHotImage) latest = undefined;
            if (event.type !== 'WorkspaceStarted') continue;
            const continued = event.data.from === 'hot-image' ? latest : undefined;
            expect(host?.startedFrom?.digest, 'a start continues from the last state').toBe(continued);
          }
          looked = world.changes.length;
          if (host?.shows() === 'running') latest = undefined;
          const { power } = world.state;
          if (power.kind !== 'unknown') expect(visible(power)).toBe(host?.shows() ?? 'absent');
          expect(hotImageOf(power)?.digest).toBe(latest);
        };
        for (const [move, luck, chance] of walked) {
          const open = world.state.intent.kind;
          world.move(move.kind === 'override' ? { kind: 'override', truthfully: true } : move);
          look();
          if (open === 'none' && world.state.intent.kind !== 'none') world.move({ kind: 'serve', luck });
          else if (chance === 0) world.hear(world.placed()?.loseGuest());
          look();
          expect(world.state.intent.kind).toBe('none');
        }
      }),
      { numRuns: 400 },
    );
  });
});
