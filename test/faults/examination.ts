/**
 * What must be so whenever the service stands again after a kill, on the data that it was killed on.
 *
 *  1. The log has only grown: what was read before is still there, without gaps, and so is every command that was acknowledged (invariants I5, I7).
 *  2. No intent is stuck (I6).
 *  3. A guest that outlives the service has lived on, and the ledger believes it; one that died with the service is reported absent, with its cause.
 *  4. What the ledger says of a guest is what the process table and the guest's own heartbeats say; no workspace has two (I1).
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { EventView, OperationPage, WorkspaceView } from '@vw/contracts';
import { expect } from 'vitest';
import { type Api, until } from '../support/api.js';
import { type GuestProcess, guestProcesses } from './guests.js';
import { startUp } from './hunt.js';
import { type Acknowledged, type Life, startsFrom } from './life.js';

/** Every intent must have its outcome, and every loss its report, so long after the service is ready again. */
const settledWithinMs = 30_000;
/** Several of the guest's heartbeats, one each 100 ms. */
const watchedMs = 350;

/** The service as it was left by a kill. */
export interface Wreck {
  readonly struckAt: number;
  /** Whether it took commands already. */
  readonly ready: boolean;
  readonly survivors: readonly GuestProcess[];
}

export class Examination {
  readonly #histories = new Map<string, readonly EventView[]>();

  constructor(
    private readonly folder: string,
    private readonly life: Life,
    private readonly guestsSurvive: boolean,
  ) {}

  /** The QEMU processes after a kill, before anybody can have mended anything. */
  async survivors(): Promise<readonly GuestProcess[]> {
    const guests = (await guestProcesses(this.folder)).filter((guest) => !isTrial(guest));
    const workspaceIds = guests.map(({ workspaceId }) => workspaceId);
    expect(new Set(workspaceIds).size, `one guest each: ${workspaceIds.join(', ')}`).toBe(workspaceIds.length);
    return guests;
  }

  /** Judges the service that stands again. Answers the stage in which each wreck was made. */
  async judge(api: Api, wrecks: readonly Wreck[]): Promise<readonly string[]> {
    const { current } = this.life;
    expect((await guestProcesses(this.folder)).filter(isTrial), 'guests of a start that was killed').toEqual([]);
    if (current !== undefined) await this.#viewsShow(api, current, this.life.acknowledged.at(-1)?.answer.position ?? 0);
    await this.#readLog(api);
    for (const acknowledged of this.life.acknowledged) this.#expectKept(acknowledged);
    if (current === undefined) return wrecks.map(() => 'nothing');
    await this.#viewsShow(api, current, this.#histories.get(current)?.at(-1)?.position ?? 0);
    const view = await this.#settled(api, current, this.guestsSurvive || wrecks.length === 0);
    await this.#readLog(api);
    const { body } = await api.get<OperationPage>('/v1/operations?status=open');
    expect(body.items, 'open intents').toEqual([]);
    await this.#askAgain(api);

    const history = this.#histories.get(current) ?? [];
    const logAt = ({ struckAt }: Wreck) => history.filter((event) => Date.parse(event.recordedAt) <= struckAt);
    const [first] = wrecks;
    if (first !== undefined) {
      const before = logAt(first);
      const after = history.slice(before.length);
      if (this.guestsSurvive) await this.#expectAdopted(before, after, wrecks);
      else expectReported(before, after, view);
    }
    return wrecks.map((wreck) => (wreck.ready ? (logAt(wreck).at(-1)?.type ?? 'nothing') : startUp));
  }

  /** Judges a service whose store was killed under it: all of the above, and its guest has noticed nothing. */
  async judgeUndisturbed(api: Api): Promise<void> {
    const losses = () => [...this.#histories.values()].flat().filter(tellsOfLoss);
    const before = losses();
    await this.judge(api, []);
    expect(losses(), 'losses under a guest that lived on').toEqual(before);
  }

  /** A service that has lost its store for a while may be behind it, and finds no workspace that its views do not show yet. */
  async #viewsShow(api: Api, workspaceId: string, position: number): Promise<void> {
    await until(settledWithinMs, `the views show position ${position}`, async () => {
      const { status } = await api.get(`/v1/workspaces/${workspaceId}?after=${position}`);
      return status === 200 ? true : undefined;
    });
  }

  async #readLog(api: Api): Promise<void> {
    for (const workspaceId of this.life.workspaceIds) {
      const history = await api.history(workspaceId);
      expect(history.map(({ revision }) => revision)).toEqual(history.map((_, index) => index));
      const known = this.#histories.get(workspaceId) ?? [];
      expect(history.slice(0, known.length), 'the history that was read before').toEqual(known);
      this.#histories.set(workspaceId, history);
      if (this.guestsSurvive)
        expect(history.filter(tellsOfLoss), 'nothing fails under a guest that lives on').toEqual([]);
    }
  }

  #expectKept({ asked, answer }: Acknowledged): void {
    if (answer.outcome === 'already-done') return;
    const { commandId } = asked;
    const event = this.#histories.get(answer.workspaceId)?.[answer.revision];
    expect(event, `${asked.verb}, acknowledged at revision ${answer.revision}`).toMatchObject({
      commandId,
      position: answer.position,
    });
  }

  /** The last answer is given once more, word for word, and changes nothing. */
  async #askAgain(api: Api): Promise<void> {
    const last = this.life.acknowledged.at(-1);
    if (last === undefined || last.asked.verb === 'create' || last.answer.outcome === 'already-done') return;
    const { asked, answer } = last;
    const { body } = await api.command(answer.workspaceId, asked.verb, asked.body, { commandId: asked.commandId });
    expect(body).toMatchObject({ ...answer, outcome: 'repeated' });
    await this.#readLog(api);
  }

  #settled(api: Api, workspaceId: string, guestLivedOn: boolean): Promise<WorkspaceView> {
    let last: WorkspaceView | undefined;
    const settled = until(settledWithinMs, 'the ledger says what is so, and no intent is open', async () => {
      last = await api.show(workspaceId);
      return last.intent.kind === 'none' && (await this.#isTrue(api, last, guestLivedOn)) ? last : undefined;
    });
    return settled.catch((cause: unknown) => {
      throw new Error(`the ledger says ${JSON.stringify(last)}`, { cause });
    });
  }

  async #isTrue(api: Api, { workspaceId, power, placement }: WorkspaceView, guestLivedOn: boolean): Promise<boolean> {
    const processes = await this.survivors();
    const here = processes.filter((guest) => guest.workspaceId === workspaceId).length;
    if (here !== processes.length) throw new Error(`guests of nobody: ${JSON.stringify(processes)}`);
    const inMemory =
      power.kind === 'running' ||
      power.kind === 'paused' ||
      (power.kind === 'serialised' && power.guest === 'in-memory');
    if (this.guestsSurvive && here !== (inMemory ? 1 : 0)) return false;
    if (placement.kind === 'none') return !inMemory;
    const before = (await api.beats(workspaceId)).length;
    await sleep(watchedMs);
    const beats = (await api.beats(workspaceId)).length > before;
    // A guest that died with the service cannot be paused: it is to be reported absent.
    return beats === (power.kind === 'running') && (guestLivedOn || power.kind !== 'paused');
  }

  async #expectAdopted(
    before: readonly EventView[],
    after: readonly EventView[],
    wrecks: readonly Wreck[],
  ): Promise<void> {
    const underWay = before.at(-1);
    const believed = wasInMemory(before);
    const mayEnd = [underWay, ...after].some((event) => /^(Stop|Undeploy)Requested$/.test(event?.type ?? ''));
    // One that was to be continued from a hot image, and has not been given it yet, has not lived.
    const mayBeUnborn = underWay?.type === 'StartRequested' && startsFrom(underWay) === 'hot-image';
    for (const { survivors } of wrecks) {
      if (believed && !mayEnd) expect(survivors, 'the guest that was believed to be there').toHaveLength(1);
      if (survivors.length === 0 || mayBeUnborn || after.some(ends)) continue;
      expect(await this.survivors(), 'the guests that outlived the service').toEqual(survivors);
    }
  }
}

/** A guest that was in memory is gone with the service: some event after the kill must say that it is, and why. */
function expectReported(before: readonly EventView[], after: readonly EventView[], { power }: WorkspaceView): void {
  const startGoesOn = after.some(({ type }) => type === 'WorkspaceStarted');
  if (!startGoesOn) expect(['shutdown', 'serialised']).toContain(power.kind);
  if (!wasInMemory(before)) return;
  const reports = after.filter((event) => tellsOfLoss(event) || ends(event));
  expect(reports.length, 'events that tell of the guest’s end').toBeGreaterThan(0);
  for (const { data } of reports.filter(tellsOfLoss)) expect(data.cause ?? data.reason).toMatch(/\w/);
}

/** Whether the log held, at its end, that a guest was in memory. */
function wasInMemory(history: readonly EventView[]): boolean {
  const there = new Set(['WorkspaceStarted', 'WorkspacePaused', 'WorkspaceUnpaused', 'HotImageCaptured']);
  const told = history.findLast((event) => there.has(event.type) || ends(event) || tellsOfLoss(event));
  return told !== undefined && there.has(told.type);
}

const ends = ({ type }: EventView): boolean => ['WorkspaceStopped', 'WorkspaceUndeployed'].includes(type);

function tellsOfLoss({ type }: EventView): boolean {
  return type.endsWith('Failed') || ['DriftDetected', 'PlacementBecameUnknown', 'WorkspaceCorrupted'].includes(type);
}

/** One of the guests that a service boots when it is started, to see whether it can. */
const isTrial = ({ workspaceId }: GuestProcess): boolean => workspaceId.startsWith('vw-probe-');
