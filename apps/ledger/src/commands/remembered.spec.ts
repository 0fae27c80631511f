import { type Recorded, type WorkspaceEvent, type WorkspaceId } from '@vw/domain';
import { expect, it } from 'vitest';
import { RememberedWorkspaces } from './remembered.js';

const id = (name: string) => name as WorkspaceId;

function expiries(from: number, to: number): Recorded<WorkspaceEvent>[] {
  const revisions = Array.from({ length: to - from }, (_, index) => from + index);
  return revisions.map((revision) => ({ ...expiry, revision, position: revision + 1 }));
}

it('adds news to what was known, and leaves what was handed out as it was', () => {
  const workspaces = new RememberedWorkspaces();
  const first = workspaces.extend(id('w1'), workspaces.recall(id('w1')), expiries(0, 2));
  workspaces.extend(id('w1'), first, expiries(2, 5));
  expect(first.history.map(({ revision }) => revision)).toEqual([0, 1]);
  expect(first.state.revision).toBe(1);
  expect(workspaces.recall(id('w1')).history.map(({ revision }) => revision)).toEqual([0, 1, 2, 3, 4]);
  expect(workspaces.recall(id('w1')).state.revision).toBe(4);
});

it('forgets what had no news for longest, down to the bound, however the workspaces grow', () => {
  const workspaces = new RememberedWorkspaces(10);
  const grow = (name: string, from: number, to: number) =>
    workspaces.extend(id(name), workspaces.recall(id(name)), expiries(from, to));
  const kept = () => ['w1', 'w2', 'w3'].map((name) => workspaces.recall(id(name)).history.length);
  grow('w1', 0, 4);
  grow('w2', 0, 4);
  grow('w1', 4, 6);
  expect(kept()).toEqual([6, 4, 0]);
  grow('w3', 0, 3);
  expect(kept()).toEqual([6, 0, 3]);
  grow('w3', 3, 11);
  expect(kept()).toEqual([0, 0, 0]);
  grow('w2', 0, 10);
  expect(kept()).toEqual([0, 10, 0]);
});

const expiry = {
  event: { type: 'WorkspaceExpired', data: { expiresAt: 0 } },
  metadata: {
    schemaVersion: 1,
    principal: { subject: 'CN=alice', attributes: {}, method: 'asserted-on-loopback' },
    recordedAt: 0,
    correlationId: 'c',
    causationId: 'c',
  },
} as unknown as Recorded<WorkspaceEvent>;
