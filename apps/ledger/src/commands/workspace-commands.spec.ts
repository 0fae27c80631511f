/** Two ledgers of one log: what one of them remembers of a workspace may be behind what the other has done, and must not show in any answer. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseDescription } from '@vw/descriptions';
import type { CommandId, Principal, WorkspaceId } from '@vw/domain';
import { type EventStore, openEmbeddedStore } from '@vw/event-store';
import { systemClock } from '@vw/runtime';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { CommandIds } from './command-ids.js';
import { defaultPolicy } from './policy.js';
import type { CommandBodies, CommandOutcome, CommandRequest, Verb } from './request.js';
import { Streams } from './streams.js';
import { WorkspaceCommands } from './workspace-commands.js';

const principal = (subject: string): Principal => ({ subject, attributes: {}, method: 'asserted-on-loopback' });

let folder: string;
let store: EventStore;
let one: Person;
let other: Person;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'vw-commands-'));
  store = await openEmbeddedStore({ file: join(folder, 'log.sqlite'), clock: systemClock });
  one = new Person('CN=alice', store);
  other = new Person('CN=bob', store);
  const parsed = parseDescription(Buffer.from('name: tiny\n'), { contentType: 'application/yaml' });
  if (!parsed.ok) throw new Error('the description is wrong');
  await one.does('create', { description: parsed.description });
});

afterEach(async () => {
  await store.close();
  await rm(folder, { recursive: true, force: true });
});

it('grants what the other has given back meanwhile', async () => {
  await one.does('check-out');
  expect(await other.does('check-out')).toMatchObject({ kind: 'refused' });
  await one.does('check-in');
  expect(await other.does('check-out')).toMatchObject({ kind: 'accepted', revision: 3 });
});

it('refuses what the other has taken meanwhile', async () => {
  await one.does('check-out');
  await one.does('check-in');
  await other.does('check-out');
  expect(await one.does('check-out')).toMatchObject({ kind: 'refused', refusal: { found: { holder: 'CN=bob' } } });
});

it('appends behind what the other has appended meanwhile', async () => {
  await one.does('check-out');
  await one.does('renew');
  await other.does('set-lifetime', { seconds: 60 });
  const { revision } = (await one.does('renew')) as { readonly revision: number };
  expect(revision).toBe((await new Streams(store).workspace(one.id)).state.revision);
});

it('gives the first answer to a command that came to the other first', async () => {
  await one.does('check-out');
  await one.does('renew', {}, 'c1');
  const twin = new Person('CN=alice', store);
  await twin.does('check-out');
  const first = await one.does('renew', {}, 'c2');
  expect(await twin.does('renew', {}, 'c2')).toMatchObject({ revision: (first as { revision: number }).revision });
});

/** Somebody with a ledger of their own. */
class Person {
  readonly id = 'w1' as WorkspaceId;
  private readonly commands: WorkspaceCommands;
  private asked = 0;

  constructor(
    private readonly subject: string,
    log: EventStore,
  ) {
    const streams = new Streams(log);
    const world = {
      image: () => undefined,
      hosts: () => [],
      workspace: async (id: WorkspaceId) => (await streams.workspace(id)).state,
    };
    this.commands = new WorkspaceCommands(streams, world, new CommandIds(() => undefined), defaultPolicy, systemClock);
  }

  does<V extends Verb>(verb: V, body = {} as CommandBodies[V], id?: string): Promise<CommandOutcome> {
    this.asked += 1;
    const commandId = (id ?? `${this.subject.slice(3)}-${this.asked}`) as CommandId;
    const request = { verb, workspaceId: this.id, body, commandId, principal: principal(this.subject) };
    return this.commands.execute(request as CommandRequest);
  }
}
