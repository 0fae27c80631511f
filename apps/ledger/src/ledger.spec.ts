/**
 * The ledger against a host that misbehaves: silent, repeating, late, lying. The host is this test, speaking over a real bus; the store and the views
 * are the embedded ones. What must hold is PROTOCOL.md, "From intent to outcome" and "Losing a host".
 */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Evidence, type HostMessage, type Observation, subjects, type Task } from '@vw/contracts';
import type { CommandId, ImageDigest, Principal, WorkspaceId } from '@vw/domain';
import { openEmbeddedStore, StoreUnavailable } from '@vw/event-store';
import { buildHeartbeatGuest } from '@vw/hypervisors';
import { openDirectoryRepository } from '@vw/images';
import { type Bus, openInProcessBus } from '@vw/messaging';
import { openViews, type Views } from '@vw/projections';
import { rfc3339, silentLogger, systemClock, systemIds, systemTimers } from '@vw/runtime';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { CommandBodies, CommandOutcome, CommandRequest, Verb } from './commands/request.js';
import { defaultPolicy } from './commands/policy.js';
import { Ledger, type LedgerOptions } from './ledger.js';
import { StoreElsewhere } from './testing/store-elsewhere.js';

const alice: Principal = { subject: 'CN=alice', attributes: {}, method: 'asserted-on-loopback' };
const capacity = {
  cpus: 4,
  memoryMiB: 4096,
  diskMiB: 4096,
  vmms: [
    { type: 'v86', version: '1', accelerator: 'wasm', architectures: ['x86'], capabilities: ['pause', 'hot-image'] },
  ],
};

let folder: string;
let store: StoreElsewhere;
let ledger: Ledger;
let views: Views;
let bus: Bus;
let host: Host;
let closing: () => Promise<void>;

const options = (storeElsewhere = true): LedgerOptions => ({
  policy: defaultPolicy,
  dispatch: { firstResendMs: 20, lastResendMs: 40, answerWithinMs: 150 },
  hosts: { lostAfterMs: 300, sweepEveryMs: 20 },
  lifetimesEveryMs: 50,
  consoleTimeoutMs: 200,
  uploads: folder,
  storeElsewhere,
});

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'vw-ledger-'));
  const ports = { clock: systemClock, timers: systemTimers, ids: systemIds, logger: silentLogger };
  store = new StoreElsewhere(await openEmbeddedStore({ file: join(folder, 'log.sqlite'), ...ports }));
  bus = await openInProcessBus({ file: join(folder, 'bus.sqlite'), ...ports });
  views = await openViews({ file: join(folder, 'views.sqlite'), store });
  const images = await openDirectoryRepository({ directory: join(folder, 'images'), clock: systemClock });
  ledger = new Ledger({ store, views, bus, images, ...ports }, options());
  const guest = join(folder, 'heartbeat.img');
  await writeFile(guest, buildHeartbeatGuest());
  await ledger.imagePool.add(guest, { name: 'heartbeat', kind: 'kernel', architecture: 'x86' }, alice);
  const stop = new AbortController();
  const running = ledger.run(stop.signal);
  host = new Host('h1', bus, stop.signal);
  await until('the host is known', () => views.host('h1')?.state.kind === 'connected' && ledger.isReady());
  closing = async () => {
    host.beating = false;
    stop.abort();
    await running;
    views.close();
    await bus.close();
    await store.close();
  };
});

afterEach(async () => {
  await closing();
  await rm(folder, { recursive: true, force: true });
});

describe('a command id with two bodies at once', () => {
  const asked = async (commands: Ledger['commands'][]) => {
    const workspaceId = await created();
    const asking = commands.map((each, n) =>
      each.execute({
        verb: 'check-out',
        workspaceId,
        body: { leaseSeconds: 60 + n },
        commandId: 'hurried' as CommandId,
        principal: alice,
      }),
    );
    const kinds = (await Promise.all(asking)).map((outcome) =>
      outcome.kind === 'refused' ? outcome.refusal.reason : outcome.kind,
    );
    expect(await types(workspaceId)).toEqual(['WorkspaceCreated', 'WorkspaceCheckedOut']);
    return kinds.toSorted();
  };

  it('has one effect, and the other is told so', async () => {
    expect(await asked([ledger.commands, ledger.commands])).toEqual(['COMMAND_ID_REUSED', 'accepted']);
  });

  it('has one effect also where two ledgers take them', async () => {
    const other = new Ledger(ledger.ports, options());
    expect(await asked([ledger.commands, other.commands])).toEqual(['COMMAND_ID_REUSED', 'accepted']);
  });
});

describe('a task', () => {
  it('is sent again until its outcome is recorded, and then no more', async () => {
    const id = await created();
    await ask(id, 'deploy', {});
    await until('it came three times', () => host.tasks('deploy').length >= 3);
    expect(new Set(host.tasks('deploy').map(({ taskId }) => taskId)).size).toBe(1);
    await host.say(id, host.last('deploy'), { kind: 'deployed', imageDigest: digestOf(host.last('deploy')) });
    await until('it is staged', () => views.workspace(id)?.state.placement.kind === 'staged');
    const sent = host.tasks('deploy').length;
    await systemTimers.sleep(150);
    expect(host.tasks('deploy').length).toBeLessThanOrEqual(sent + 1);
  });

  it('is followed by a cancel for as long as one is asked for and unanswered', async () => {
    const id = await created();
    await ask(id, 'deploy', {});
    await until('it came', () => host.tasks('deploy').length > 0);
    await ask(id, 'cancel', { reason: 'wrong host' });
    await until('the cancel came twice', () => host.tasks('cancel').length >= 2);
    expect(host.last('cancel').work).toEqual({ kind: 'cancel', requestId: host.last('deploy').taskId });
    await host.say(id, host.last('deploy'), {
      kind: 'failed',
      class: 'cancelled',
      reason: 'asked to',
      guest: 'absent',
    });
    await until('it is free again', () => views.workspace(id)?.state.placement.kind === 'none');
    expect(await types(id)).toContain('DeployFailed');
  });
});

describe('evidence', () => {
  it('is recorded once however often it comes, and acknowledged each time', async () => {
    const id = await deployed();
    await ask(id, 'start', {});
    await until('the task came', () => host.tasks('start').length > 0);
    const evidence = await host.say(id, host.last('start'), started);
    await host.repeat(evidence);
    await host.repeat(evidence);
    await until('all were acknowledged', () => host.acknowledged.filter((seq) => seq === evidence.seq).length >= 3);
    expect((await types(id)).filter((type) => type === 'WorkspaceStarted')).toHaveLength(1);
  });

  it('of another host’s subject, or of no known shape, is dropped and counted', async () => {
    const id = await deployed();
    await bus.publish(subjects.evidence('h2'), { ...host.evidence(id, 1, { kind: 'stopped' }) });
    await bus.publish(subjects.evidence('h1'), { hello: 'world' });
    // A time that no Date can hold would be in the log for ever, and no view of it could be written.
    await bus.publish(subjects.evidence('h1'), { ...host.evidence(id, 1, started), observedAt: 1e300 });
    await until('all were counted', async () =>
      /vw_evidence_total\{result="malformed"\} 3/.test(await ledger.metrics.text()),
    );
    expect(await types(id)).toEqual([
      'WorkspaceCreated',
      'WorkspaceCheckedOut',
      'DeployRequested',
      'WorkspaceDeployed',
    ]);
  });

  it('is not what an override is: the host is told to let go of what it may have', async () => {
    const id = await deployed();
    await ask(id, 'override', { reason: 'nobody answers there' });
    await until('the host was told', () => host.tasks('expel').length > 0);
    expect(host.last('expel')).toMatchObject({ workspaceId: id, epoch: 1 });
  });

  it('of a guest of an epoch that is over makes the ledger tell the host to let go of it', async () => {
    const id = await deployed();
    await ask(id, 'override', { reason: 'the host was rebuilt' });
    await until('the host was told', () => host.tasks('expel').length === 1);
    await host.publish(host.evidence(id, 1, { kind: 'observed', guest: 'running', cause: 'inventory' }));
    await until('the host was told again', () => host.tasks('expel').length === 2);
    expect(host.last('expel')).toMatchObject({ workspaceId: id, epoch: 1 });
    expect((await types(id)).at(-1)).toBe('OperatorOverrode');
  });

  it('that a guest runs after its start failed does not free the lock', async () => {
    const id = await deployed();
    await ask(id, 'start', {});
    await until('the task came', () => host.tasks('start').length > 0);
    const task = host.last('start');
    await host.say(id, task, { kind: 'failed', class: 'vmm', reason: 'odd', guest: 'running' });
    await until('it was counted', async () => /result="contradicts-intent"\} 1/.test(await ledger.metrics.text()));
    expect(views.workspace(id)?.state.intent.kind).toBe('start');
    await host.say(id, task, started);
    await until('it runs', () => views.workspace(id)?.state.power.kind === 'running');
  });
});

describe('a silent host', () => {
  it('makes the placement unknown after the deadline, never failed; and its late word is still the outcome', async () => {
    const id = await deployed();
    host.answersObserve = false;
    await ask(id, 'start', { deadlineSeconds: 1 });
    await until('it is unknown', () => views.workspace(id)?.state.power.kind === 'unknown', 5000);
    expect(views.workspace(id)?.state).toMatchObject({
      intent: { kind: 'start' },
      power: { lastKnown: 'shutdown' },
      lock: { kind: 'held' },
    });
    const refused = await ask(id, 'pause', {});
    expect(refused).toMatchObject({ kind: 'refused', refusal: { reason: 'INTENT_OPEN' } });
    await host.say(id, host.last('start'), started);
    await until('it runs', () => views.workspace(id)?.state.power.kind === 'running');
    expect((await types(id)).slice(-3)).toEqual(['StartRequested', 'PlacementBecameUnknown', 'WorkspaceStarted']);
  });

  it('that answers what it sees is only slow: nothing becomes unknown', async () => {
    const id = await deployed();
    await ask(id, 'start', { deadlineSeconds: 1 });
    await until('it was asked twice', () => host.tasks('observe').length >= 2, 5000);
    expect(views.workspace(id)?.state.power.kind).toBe('shutdown');
  });

  it('is lost after its silence, takes no new workspace, and returns with its next heartbeat', async () => {
    host.beating = false;
    await until('it is lost', () => views.host('h1')?.state.kind === 'lost');
    const id = await created();
    expect(await ask(id, 'deploy', {})).toMatchObject({
      kind: 'refused',
      refusal: { reason: 'NO_HOST', found: { h1: 'a connection (it is lost)' } },
    });
    host.beating = true;
    await until('it is back', () => views.host('h1')?.state.kind === 'connected');
    expect((await ask(id, 'deploy', {})).kind).toBe('accepted');
  });
});

describe('a store that goes away', () => {
  it('stops nothing for good: what was open is sent again, what hosts said is recorded, and the views follow', async () => {
    const id = await created();
    const unanswered = await created();
    await ask(unanswered, 'deploy', {});
    await ask(id, 'deploy', {});
    const tasksOf = (workspaceId: WorkspaceId) =>
      host.tasks('deploy').filter((task) => task.workspaceId === workspaceId);
    await until('the tasks came', () => tasksOf(id).length > 0 && tasksOf(unanswered).length > 0);
    await until('it is shown', () => views.workspace(id)?.state.placement.kind === 'staging');
    store.leave();
    const [task] = tasksOf(id) as [Task];
    await host.say(id, task, { kind: 'deployed', imageDigest: digestOf(task) });
    await expect(ask(id, 'cancel', { reason: 'too slow' })).rejects.toThrow(StoreUnavailable);
    expect({ ready: ledger.isReady(), answers: await ledger.storeAnswers() }).toEqual({ ready: true, answers: false });
    expect(views.workspace(id)?.state.placement.kind).toBe('staging');

    const sentBefore = tasksOf(unanswered).length;
    store.comeBack();
    expect(await ledger.storeAnswers()).toBe(true);
    await until('it is staged', () => views.workspace(id)?.state.placement.kind === 'staged');
    await until('the open task is sent again', () => tasksOf(unanswered).length > sentBefore);
    await ask(id, 'start', {});
    await until('the next task comes', () => host.tasks('start').length > 0);
    const sent = tasksOf(id).length;
    await systemTimers.sleep(150);
    expect(tasksOf(id)).toHaveLength(sent);
    expect((await types(id)).filter((type) => type === 'WorkspaceDeployed')).toHaveLength(1);
  });

  it('gives no command two effects that is sent again', async () => {
    const id = await created();
    const commandId = systemIds.next() as CommandId;
    const request = { verb: 'check-out', workspaceId: id, body: {}, commandId, principal: alice } as const;
    store.leave();
    await expect(ledger.commands.execute(request)).rejects.toThrow(StoreUnavailable);
    store.comeBack();
    expect((await ledger.commands.execute(request)).kind).toBe('accepted');
    expect((await ledger.commands.execute(request)).kind).toBe('repeated');
    expect(await types(id)).toEqual(['WorkspaceCreated', 'WorkspaceCheckedOut']);
  });

  it('ends the ledger where it is in the same process, for there it does not come back', async () => {
    const other = await openViews({ file: join(folder, 'other.sqlite'), store });
    const inside = new Ledger({ ...ledger.ports, views: other }, options(false));
    const ended = inside.run(new AbortController().signal);
    ended.catch(() => undefined);
    await until('it is ready', () => inside.isReady());
    store.leave();
    await expect(ended).rejects.toThrow(StoreUnavailable);
    other.close();
    store.comeBack();
  });
});

const started: Observation = {
  kind: 'started',
  from: 'image',
  vmm: { type: 'v86', version: '1', accelerator: 'wasm' },
};

function digestOf(task: Task): ImageDigest {
  if (task.work.kind !== 'deploy') throw new Error(`${task.work.kind} has no image`);
  return task.work.image.digest as ImageDigest;
}

async function ask<V extends Verb>(workspaceId: WorkspaceId, verb: V, body: CommandBodies[V]): Promise<CommandOutcome> {
  const commandId = systemIds.next() as CommandId;
  return ledger.commands.execute({ verb, workspaceId, body, commandId, principal: alice } as CommandRequest);
}

async function created(): Promise<WorkspaceId> {
  const id = systemIds.next() as WorkspaceId;
  const disks = [{ role: 'root' as const, location: 'image:heartbeat' }];
  const description = {
    category: 'virtual-machine' as const,
    name: 'test',
    requirements: {},
    disks,
    network: { nics: [] },
  };
  expect((await ask(id, 'create', { description })).kind).toBe('accepted');
  return id;
}

async function deployed(): Promise<WorkspaceId> {
  const id = await created();
  await ask(id, 'deploy', {});
  await until('the task came', () => host.tasks('deploy').some(({ workspaceId }) => workspaceId === id));
  await host.say(id, host.last('deploy'), { kind: 'deployed', imageDigest: digestOf(host.last('deploy')) });
  await until('it is staged', () => views.workspace(id)?.state.placement.kind === 'staged');
  return id;
}

async function types(id: WorkspaceId): Promise<string[]> {
  const found: string[] = [];
  for await (const event of ledger.ports.store.readStream(`workspace-${id}`)) found.push(event.type);
  return found;
}

/** What a host does, without doing any of it. */
class Host {
  readonly received: Task[] = [];
  readonly acknowledged: number[] = [];
  beating = true;
  answersObserve = true;
  private seq = 0;

  constructor(
    private readonly hostId: string,
    private readonly bus: Bus,
    signal: AbortSignal,
  ) {
    void bus.consume(
      `agent-${hostId}`,
      subjects.task(hostId),
      async ({ payload }) => {
        await this.take(payload as unknown as HostMessage);
        return { kind: 'ack' };
      },
      signal,
    );
    void this.beat(signal);
  }

  tasks(kind: Task['work']['kind']): Task[] {
    return this.received.filter(({ work }) => work.kind === kind);
  }

  last(kind: Task['work']['kind']): Task {
    const task = this.tasks(kind).at(-1);
    if (task === undefined) throw new Error(`no ${kind} came`);
    return task;
  }

  evidence(workspaceId: string, epoch: number, observation: Observation, requestId?: string): Evidence {
    const [hostId, bootId, observedAt] = [this.hostId, 'boot-1', systemClock.now()];
    return { hostId, bootId, seq: (this.seq += 1), workspaceId, epoch, requestId, observedAt, observation };
  }

  async say(workspaceId: string, task: Task, observation: Observation): Promise<Evidence> {
    const evidence = this.evidence(workspaceId, task.epoch, observation, task.taskId);
    await this.publish(evidence);
    return evidence;
  }

  repeat(evidence: Evidence): Promise<void> {
    return this.publish(evidence);
  }

  publish(evidence: Evidence): Promise<void> {
    return this.bus.publish(subjects.evidence(this.hostId), { ...evidence });
  }

  private async take(message: HostMessage): Promise<void> {
    if (message.type === 'acknowledged') {
      this.acknowledged.push(message.seq);
      return;
    }
    this.received.push(message.task);
    if (message.task.work.kind !== 'observe' || !this.answersObserve) return;
    const { workspaceId, epoch } = message.task;
    await this.publish(this.evidence(workspaceId, epoch, { kind: 'observed', guest: 'absent', cause: 'asked' }));
  }

  private async beat(signal: AbortSignal): Promise<void> {
    for (; !signal.aborted; await systemTimers.sleep(50, signal)) {
      if (!this.beating) continue;
      const heartbeat = { hostId: this.hostId, bootId: 'boot-1', at: systemClock.now(), capacity };
      await this.bus.publish(subjects.heartbeat(this.hostId), heartbeat).catch(() => undefined);
    }
  }
}

async function until(what: string, holds: () => boolean | Promise<boolean>, withinMs = 3000): Promise<void> {
  const end = systemClock.monotonic() + withinMs;
  while (!(await holds())) {
    if (systemClock.monotonic() > end)
      throw new Error(`not within ${withinMs} ms, at ${rfc3339(systemClock.now())}: ${what}`);
    await systemTimers.sleep(5);
  }
}
