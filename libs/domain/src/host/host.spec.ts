import { describe, expect, it } from 'vitest';
import type { HostId } from '../ids.js';
import { decideHost, evolveHost, type HostCapacity, type HostCommand, type HostEvent, unknownHost } from './index.js';

const hostId = 'h1' as HostId;
const vmm = {
  type: 'qemu',
  version: '7.2',
  accelerator: 'tcg',
  architectures: ['x86'],
  capabilities: ['pause', 'disk'],
};
const capacity: HostCapacity = { cpus: 2, memoryMiB: 1_024, diskMiB: 10_000, vmms: [vmm] };

const connected: HostEvent = { type: 'HostConnected', data: { hostId, bootId: 'b1', capacity } };
const lost: HostEvent = { type: 'HostLost', data: { hostId, bootId: 'b1', lastHeard: 50 } };
const returned: HostEvent = { type: 'HostReturned', data: { hostId, bootId: 'b1' } };
const hear = (over: Partial<Extract<HostCommand, { type: 'hear' }>> = {}): HostCommand => ({
  type: 'hear',
  hostId,
  bootId: 'b1',
  capacity,
  ...over,
});

const after = (...events: HostEvent[]) =>
  events.reduce(
    (state, event, revision) => evolveHost(state, { event, revision, position: revision, metadata: {} as never }),
    unknownHost,
  );
const given = (...events: HostEvent[]) => ({ when: (command: HostCommand) => decideHost(after(...events), command) });
const accepted = (...events: HostEvent[]) => ({ kind: 'accepted', events });
const alreadyDone = { kind: 'already-done' };

describe('hear', () => {
  it('connects a host that was never heard of', () => {
    expect(given().when(hear())).toEqual(accepted(connected));
  });

  it('is no news while it goes on', () => {
    for (const history of [[connected], [connected, lost, returned]]) {
      expect(given(...history).when(hear({ capacity: structuredClone(capacity) }))).toEqual(alreadyDone);
    }
  });

  it('connects anew after another boot, lost before or not', () => {
    const booted: HostEvent = { type: 'HostConnected', data: { hostId, bootId: 'b2', capacity } };
    expect(given(connected).when(hear({ bootId: 'b2' }))).toEqual(accepted(booted));
    expect(given(connected, lost).when(hear({ bootId: 'b2' }))).toEqual(accepted(booted));
  });

  it('is a return after a silence, and a connection when something changed meanwhile', () => {
    expect(given(connected, lost).when(hear())).toEqual(accepted(returned));
    const grown = { ...capacity, cpus: 4 };
    expect(given(connected, lost).when(hear({ capacity: grown }))).toEqual(
      accepted({ type: 'HostConnected', data: { hostId, bootId: 'b1', capacity: grown } }),
    );
  });

  it.each([
    ['cpus', { ...capacity, cpus: 3 }],
    ['memory', { ...capacity, memoryMiB: 1 }],
    ['disk', { ...capacity, diskMiB: 1 }],
    ['a VMM less', { ...capacity, vmms: [] }],
    ['a VMM version', { ...capacity, vmms: [{ ...vmm, version: '8.0' }] }],
    ['an accelerator', { ...capacity, vmms: [{ ...vmm, accelerator: 'kvm' }] }],
    [
      'what reads the same when joined',
      { ...capacity, vmms: [{ ...vmm, architectures: ['x86', 'pause'], capabilities: ['disk'] }] },
    ],
  ])('tells a change of %s', (_, changed) => {
    expect(given(connected).when(hear({ capacity: changed }))).toMatchObject({ kind: 'accepted' });
  });
});

describe('lose', () => {
  const lose: HostCommand = { type: 'lose', lastHeard: 50 };

  it('records when it was last heard', () => {
    expect(given(connected).when(lose)).toEqual(accepted(lost));
    expect(after(connected, lost)).toMatchObject({ kind: 'lost', lastHeard: 50, capacity, revision: 1 });
  });

  it('happens once', () => {
    expect(given(connected, lost).when(lose)).toEqual(alreadyDone);
    expect(given(connected, lost, returned).when(lose)).toEqual(accepted(lost));
  });

  it('needs a host', () => {
    expect(given().when(lose)).toMatchObject({ kind: 'refused', refusal: { reason: 'NOT_FOUND' } });
  });
});

it('a host that is back has no silence behind it', () => {
  const state = after(connected, lost, returned);
  expect(state.kind).toBe('connected');
  expect(state.lastHeard).toBeUndefined();
  expect(after(connected, lost, connected).lastHeard).toBeUndefined();
});
