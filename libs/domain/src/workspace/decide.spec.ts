/**
 * What may happen to a workspace, and why not: every command in every situation, by the holder of the lock at epoch 1 unless a row says otherwise.
 * The specs of each command's file show the events and refusals whole.
 */
import { describe, expect, it } from 'vitest';
import { bob, command, type CommandType, commandTypes, given, recorded, stateAfter } from '../testing/scenario.js';
import { type Situation, situations } from '../testing/situations.js';
import { ledgerSubject } from './commands.js';
import { decideWorkspace } from './decide.js';
import type { WorkspaceEvent } from './events.js';
import { foldWorkspace } from './evolve.js';

/** Space-separated event types or command types; every command but create and clone is named exactly once. */
interface Answers {
  readonly accepted: { readonly [Type in CommandType]?: string };
  readonly alreadyDone: string;
  readonly refused: { readonly [reason: string]: string };
}

const lifetimeAndLease = { 'set-lifetime': 'LifetimeSet', renew: 'LeaseRenewed' };
const lastResorts = { override: 'OperatorOverrode', 'mark-unknown': 'PlacementBecameUnknown' };

const free: Answers = {
  accepted: {
    refine: 'WorkspaceRefined',
    'set-lifetime': 'LifetimeSet',
    retire: 'WorkspaceRetired',
    'check-out': 'WorkspaceCheckedOut',
    deploy: 'WorkspaceCheckedOut DeployRequested',
  },
  alreadyDone: 'expire check-in undeploy repair override mark-unknown',
  refused: {
    LOCK_FREE: 'renew steal-lock',
    NOT_DEPLOYED: 'start pause unpause serialise stop',
    NO_INTENT: 'cancel',
  },
};

const held: Answers = {
  accepted: {
    ...lifetimeAndLease,
    refine: 'WorkspaceRefined',
    retire: 'WorkspaceCheckedIn WorkspaceRetired',
    'check-in': 'WorkspaceCheckedIn',
    deploy: 'DeployRequested',
  },
  alreadyDone: 'expire check-out steal-lock undeploy repair override mark-unknown',
  refused: { NOT_DEPLOYED: 'start pause unpause serialise stop', NO_INTENT: 'cancel' },
};

const busy: Answers = {
  accepted: { ...lifetimeAndLease, ...lastResorts, cancel: 'CancelRequested' },
  alreadyDone: 'expire check-out steal-lock',
  refused: { INTENT_OPEN: 'refine retire check-in deploy undeploy start pause unpause serialise stop repair' },
};

const table: { readonly [Name in Situation]: Answers } = {
  unborn: {
    accepted: {},
    alreadyDone: '',
    refused: {
      NOT_FOUND:
        'refine set-lifetime expire retire check-out check-in renew steal-lock deploy undeploy start pause unpause ' +
        'serialise stop cancel repair override mark-unknown',
    },
  },
  created: free,
  undeployed: free,
  undeployedHot: free,
  checkedOut: held,
  // The lease binds its holder no less when it has run out; it is others who may now take it.
  leaseRanOut: held,
  deployFailed: { ...held, accepted: { ...held.accepted, deploy: 'WorkspaceCheckedOut DeployRequested' } },

  deploying: busy,
  starting: busy,
  pausing: busy,
  unpausing: busy,
  serialising: busy,
  stopping: busy,
  undeploying: busy,
  silentWhileStopping: {
    accepted: { ...lifetimeAndLease, cancel: 'CancelRequested', override: 'OperatorOverrode' },
    alreadyDone: `${busy.alreadyDone} mark-unknown`,
    refused: busy.refused,
  },

  staged: {
    accepted: { ...lifetimeAndLease, ...lastResorts, start: 'StartRequested', undeploy: 'UndeployRequested' },
    alreadyDone: 'expire check-out steal-lock deploy stop repair',
    refused: {
      DEPLOYED: 'refine retire check-in',
      NOT_RUNNING: 'pause',
      NOT_PAUSED: 'unpause serialise',
      NO_INTENT: 'cancel',
    },
  },
  running: {
    accepted: { ...lifetimeAndLease, ...lastResorts, pause: 'PauseRequested', stop: 'StopRequested' },
    alreadyDone: 'expire check-out steal-lock deploy start unpause repair',
    refused: { DEPLOYED: 'refine retire check-in', RUNNING: 'serialise undeploy', NO_INTENT: 'cancel' },
  },
  paused: {
    accepted: {
      ...lifetimeAndLease,
      ...lastResorts,
      unpause: 'UnpauseRequested',
      serialise: 'SerialiseRequested',
      stop: 'StopRequested',
      undeploy: 'UndeployRequested',
    },
    alreadyDone: 'expire check-out steal-lock deploy pause repair',
    refused: { DEPLOYED: 'refine retire check-in', PAUSED_IN_MEMORY: 'start', NO_INTENT: 'cancel' },
  },
  frozen: {
    accepted: {
      ...lifetimeAndLease,
      ...lastResorts,
      unpause: 'UnpauseRequested',
      stop: 'StopRequested',
      undeploy: 'UndeployRequested',
    },
    alreadyDone: 'expire check-out steal-lock deploy pause serialise repair',
    refused: { DEPLOYED: 'refine retire check-in', PAUSED_IN_MEMORY: 'start', NO_INTENT: 'cancel' },
  },
  shelved: {
    accepted: { ...lifetimeAndLease, ...lastResorts, start: 'StartRequested', undeploy: 'UndeployRequested' },
    alreadyDone: 'expire check-out steal-lock deploy serialise stop repair',
    refused: {
      DEPLOYED: 'refine retire check-in',
      NOT_RUNNING: 'pause',
      NOT_PAUSED: 'unpause',
      NO_INTENT: 'cancel',
    },
  },
  suspect: {
    accepted: {
      ...lifetimeAndLease,
      ...lastResorts,
      start: 'StartRequested',
      undeploy: 'UndeployRequested',
      repair: 'WorkspaceRepaired',
    },
    alreadyDone: 'expire check-out steal-lock deploy stop',
    refused: {
      DEPLOYED: 'refine retire check-in',
      NOT_RUNNING: 'pause',
      NOT_PAUSED: 'unpause serialise',
      NO_INTENT: 'cancel',
    },
  },
  // Nobody knows whether the guest runs: stopping is how one finds out.
  silent: {
    accepted: { ...lifetimeAndLease, stop: 'StopRequested', override: 'OperatorOverrode' },
    alreadyDone: 'expire check-out steal-lock deploy repair mark-unknown',
    refused: {
      DEPLOYED: 'refine retire check-in',
      POWER_UNKNOWN: 'undeploy start pause unpause serialise',
      NO_INTENT: 'cancel',
    },
  },

  corruptedAtHome: {
    accepted: {
      ...lifetimeAndLease,
      refine: 'WorkspaceRefined',
      retire: 'WorkspaceCheckedIn WorkspaceRetired',
      'check-in': 'WorkspaceCheckedIn',
      repair: 'WorkspaceRepaired',
    },
    alreadyDone: 'expire check-out steal-lock undeploy override mark-unknown',
    refused: { CORRUPTED: 'deploy', NOT_DEPLOYED: 'start pause unpause serialise stop', NO_INTENT: 'cancel' },
  },
  corruptedOnHost: {
    accepted: { ...lifetimeAndLease, ...lastResorts, undeploy: 'UndeployRequested', repair: 'WorkspaceRepaired' },
    alreadyDone: 'expire check-out steal-lock stop',
    refused: {
      DEPLOYED: 'refine retire check-in',
      CORRUPTED: 'deploy start unpause',
      NOT_RUNNING: 'pause',
      NOT_PAUSED: 'serialise',
      NO_INTENT: 'cancel',
    },
  },
  corruptedPaused: {
    accepted: {
      ...lifetimeAndLease,
      ...lastResorts,
      serialise: 'SerialiseRequested',
      stop: 'StopRequested',
      undeploy: 'UndeployRequested',
      repair: 'WorkspaceRepaired',
    },
    alreadyDone: 'expire check-out steal-lock pause',
    refused: { DEPLOYED: 'refine retire check-in', CORRUPTED: 'deploy start unpause', NO_INTENT: 'cancel' },
  },

  expired: {
    accepted: { refine: 'WorkspaceRefined', 'set-lifetime': 'LifetimeSet', retire: 'WorkspaceRetired' },
    alreadyDone: 'expire check-in undeploy repair override mark-unknown',
    refused: {
      EXPIRED: 'check-out deploy',
      LOCK_FREE: 'renew steal-lock',
      NOT_DEPLOYED: 'start pause unpause serialise stop',
      NO_INTENT: 'cancel',
    },
  },
  // Time being up starts nothing more, and takes nothing away: pause, stop and undeploy stay legal.
  expiredRunning: {
    accepted: { ...lifetimeAndLease, ...lastResorts, pause: 'PauseRequested', stop: 'StopRequested' },
    alreadyDone: 'expire steal-lock repair',
    refused: {
      DEPLOYED: 'refine retire check-in',
      EXPIRED: 'check-out deploy start unpause',
      RUNNING: 'serialise undeploy',
      NO_INTENT: 'cancel',
    },
  },
  retired: {
    accepted: {},
    alreadyDone: 'retire',
    refused: {
      RETIRED:
        'refine set-lifetime expire check-out check-in renew steal-lock deploy undeploy start pause unpause ' +
        'serialise stop cancel repair override mark-unknown',
    },
  },
};

const others: { readonly [row: string]: { of: Situation; by: string } & Answers } = {
  'at home, asked by another': {
    of: 'checkedOut',
    by: bob,
    accepted: { 'steal-lock': 'LockStolen' },
    alreadyDone: 'expire undeploy override mark-unknown',
    refused: {
      LOCK_HELD:
        'refine set-lifetime retire check-out check-in renew deploy start pause unpause serialise stop cancel repair',
    },
  },
  'at home with a lease that has run out, asked by another': {
    of: 'leaseRanOut',
    by: bob,
    accepted: {
      'check-out': 'WorkspaceCheckedIn WorkspaceCheckedOut',
      deploy: 'WorkspaceCheckedIn WorkspaceCheckedOut DeployRequested',
      'steal-lock': 'LockStolen',
    },
    alreadyDone: 'expire undeploy override mark-unknown',
    refused: {
      LOCK_HELD: 'refine set-lifetime retire check-in renew start pause unpause serialise stop cancel repair',
    },
  },
  'deploying, asked by another': {
    of: 'deploying',
    by: bob,
    accepted: { 'steal-lock': 'LockStolen', ...lastResorts },
    alreadyDone: 'expire',
    refused: {
      INTENT_OPEN: 'deploy',
      LOCK_HELD:
        'refine set-lifetime retire check-out check-in renew undeploy start pause unpause serialise stop cancel repair',
    },
  },
  'running, asked by another': {
    of: 'running',
    by: bob,
    accepted: { 'steal-lock': 'LockStolen', ...lastResorts },
    alreadyDone: 'expire',
    refused: {
      LOCK_HELD:
        'refine set-lifetime retire check-out check-in renew deploy undeploy start pause unpause serialise stop ' +
        'cancel repair',
    },
  },
  'running, asked by the ledger': {
    of: 'running',
    by: ledgerSubject,
    accepted: { 'steal-lock': 'LockStolen', ...lastResorts },
    alreadyDone: 'expire',
    refused: {
      LOCK_HELD:
        'refine set-lifetime retire check-out check-in renew deploy undeploy start pause unpause serialise stop ' +
        'cancel repair',
    },
  },
  'running though expired, asked by the ledger': {
    of: 'expiredRunning',
    by: ledgerSubject,
    accepted: {
      'set-lifetime': 'LifetimeSet',
      'steal-lock': 'LockStolen',
      pause: 'PauseRequested',
      stop: 'StopRequested',
      ...lastResorts,
    },
    alreadyDone: 'expire repair',
    refused: {
      DEPLOYED: 'refine retire',
      EXPIRED: 'check-out deploy start unpause',
      LOCK_HELD: 'check-in renew',
      RUNNING: 'serialise undeploy',
      NO_INTENT: 'cancel',
    },
  },
};

function answersIn(history: readonly WorkspaceEvent[], by?: string): Map<string, string> {
  const state = foldWorkspace(recorded(history));
  return new Map(
    commandTypes
      .filter((type) => type !== 'create' && type !== 'clone')
      .map((type) => {
        const asked = command(type);
        const decision = decideWorkspace(state, by === undefined ? asked : { ...asked, by });
        switch (decision.kind) {
          case 'accepted':
            return [type, decision.events.map((event) => event.type).join(' ')];
          case 'already-done':
            return [type, 'already done'];
          case 'refused':
            return [type, decision.refusal.reason];
        }
      }),
  );
}

function expected({ accepted, alreadyDone, refused }: Answers): Map<string, string> {
  const words = (text: string) => text.split(' ').filter((word) => word !== '');
  return new Map([
    ...Object.entries(accepted),
    ...words(alreadyDone).map((type) => [type, 'already done'] as const),
    ...Object.entries(refused).flatMap(([reason, types]) => words(types).map((type) => [type, reason] as const)),
  ]);
}

describe('every command in every situation', () => {
  it.each(Object.entries(table))('%s', (name, answers) => {
    expect(answersIn(situations[name as Situation])).toEqual(expected(answers));
  });

  it.each(Object.entries(others))('%s', (_, row) => {
    expect(answersIn(situations[row.of], row.by)).toEqual(expected(row));
  });

  it('a name is given once, whatever became of its workspace', () => {
    const source = stateAfter(...situations.created);
    for (const [name, history] of Object.entries(situations)) {
      if (name === 'unborn') continue;
      given(...history)
        .when(command('create'))
        .refused('ALREADY_EXISTS', { workspaceId: 'w1' }, { owner: 'CN=ann' });
      given(...history)
        .when(command('clone', { source }))
        .refused('ALREADY_EXISTS', { workspaceId: 'w1' }, { owner: 'CN=ann' });
    }
  });

  it('what was never created refuses everything else by name', () => {
    given().when(command('stop')).refused('NOT_FOUND', { command: 'stop' }, {});
  });

  it('what is retired refuses by name', () => {
    given(...situations.retired)
      .when(command('deploy'))
      .refused('RETIRED', { command: 'deploy' }, {});
  });
});
