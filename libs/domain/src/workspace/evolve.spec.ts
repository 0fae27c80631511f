import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { event, eventTypes, given, hot, kernel, recorded, stateAfter } from '../testing/scenario.js';
import { type Situation, situations } from '../testing/situations.js';
import { evolve, foldWorkspace, hotImageOf } from './evolve.js';
import { type PaperState, paperState, unborn } from './state.js';

const { frozen, shelved, running, paused, staged, deploying, silent } = situations;
const atRest = { kind: 'serialised', hotImage: hot, guest: 'none' };

describe('the fold', () => {
  it('takes any events in any order, for the past has happened', () => {
    fc.assert(
      fc.property(fc.array(fc.constantFrom(...eventTypes), { maxLength: 30 }), (types) => {
        const state = foldWorkspace(recorded(types.map((type) => event(type))));
        expect(state.revision).toBe(types.length - 1);
      }),
    );
  });

  it('counts revision and position by the record', () => {
    const [, second] = recorded([event('WorkspaceCreated'), event('WorkspaceCheckedOut')]);
    expect(evolve(unborn, second!)).toMatchObject({ revision: 1, position: 101 });
  });

  it('comes to the same from any point on', () => {
    const records = recorded(shelved);
    for (let cut = 0; cut <= records.length; cut += 1) {
      const onwards = records.slice(cut).reduce(evolve, foldWorkspace(records.slice(0, cut)));
      expect(onwards).toEqual(stateAfter(...shelved));
    }
  });

  it('remembers of an open intent all that a task needs', () => {
    expect(given(...deploying).state.intent).toEqual({
      kind: 'deploy',
      requestId: 'deploy',
      hostId: 'h1',
      epoch: 1,
      since: 1_000,
      deadline: 3_000,
      cancelRequested: false,
      revision: 2,
    });
  });

  it('deploys the image that was asked for', () => {
    const image = { ...kernel, name: 'other' };
    expect(stateAfter(...situations.checkedOut, event('DeployRequested', { image })).image).toEqual(image);
  });
});

describe('the hot image', () => {
  it('outlives its guest', () => {
    expect(stateAfter(...frozen).power).toEqual({ ...atRest, guest: 'in-memory' });
    expect(stateAfter(...shelved).power).toEqual(atRest);
    expect(stateAfter(...frozen, event('DriftDetected', { observed: 'absent' })).power).toEqual(atRest);
  });

  it('goes home and out again with the workspace', () => {
    const home = [...shelved, event('UndeployRequested'), event('WorkspaceUndeployed'), event('WorkspaceCheckedIn')];
    const outAgain = [event('WorkspaceCheckedOut', { epoch: 2 }), event('DeployRequested', { epoch: 2 })];
    expect(stateAfter(...home).power).toEqual(atRest);
    expect(stateAfter(...home, ...outAgain, event('WorkspaceDeployed', { epoch: 2 })).power).toEqual(atRest);
    expect(stateAfter(...home, ...outAgain, event('DeployFailed', { epoch: 2 })).power).toEqual(atRest);
  });

  it('survives a failed start, and not knowing', () => {
    expect(stateAfter(...shelved, event('StartRequested'), event('StartFailed')).power).toEqual(atRest);
    expect(stateAfter(...shelved, event('PlacementBecameUnknown'), event('WorkspaceStopped')).power).toEqual(atRest);
  });

  it.each([
    ['unpaused', [...frozen, event('UnpauseRequested'), event('WorkspaceUnpaused')]],
    ['started', [...shelved, event('StartRequested'), event('WorkspaceStarted')]],
    ['seen running', [...frozen, event('DriftDetected', { observed: 'running' })]],
  ])('is void once the guest is %s', (_, history) => {
    const { power } = stateAfter(...history);
    expect(power).toEqual({ kind: 'running' });
    expect(hotImageOf(power)).toBeUndefined();
  });
});

describe('the paper’s four states', () => {
  const states: { readonly [Name in Situation]?: PaperState } = {
    created: 'shutdown',
    staged: 'shutdown',
    running: 'running',
    pausing: 'running',
    paused: 'paused',
    frozen: 'paused',
    shelved: 'paused',
    undeployedHot: 'paused',
    silent: 'running',
    corruptedOnHost: 'corrupted',
    corruptedPaused: 'corrupted',
    suspect: 'shutdown',
  };

  it.each(Object.entries(states))('%s is %s', (name, state) => {
    expect(paperState(stateAfter(...situations[name as Situation]))).toBe(state);
  });

  it('not observed is never stopped', () => {
    expect(stateAfter(...silent).power).toMatchObject({ kind: 'unknown', lastKnown: 'running' });
    expect(paperState(stateAfter(...paused, event('PlacementBecameUnknown', { lastKnown: 'serialised' })))).toBe(
      'paused',
    );
    expect(paperState(stateAfter(...staged, event('PlacementBecameUnknown', { lastKnown: 'shutdown' })))).toBe(
      'shutdown',
    );
  });

  it('does not lose the guest that runs on', () => {
    expect(paperState(stateAfter(...running, event('StopRequested'), event('StopFailed')))).toBe('running');
  });
});
