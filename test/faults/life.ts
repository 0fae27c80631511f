/**
 * One workspace after another, led through everything that the demo asks of one, and more. The next command follows from what the ledger shows, so a life goes
 * on wherever a kill has left it; a command whose answer a kill has swallowed is sent again under its id before anything else.
 */
import { randomUUID } from 'node:crypto';
import type { CommandAnswer, EventView, WorkspaceView } from '@vw/contracts';
import { expect } from 'vitest';
import { type Api, StoreAway, until } from '../support/api.js';
import { type Hunt, noPursuit, type Pursuit } from './hunt.js';

/** Deployments of one workspace: stopped, paused and taken back with its state, continued from that state. */
const deployments = 3;

interface Ask {
  readonly verb: keyof typeof stagesOf;
  readonly body?: object;
}

interface Asked extends Ask {
  readonly commandId: string;
  readonly workspaceId: string | undefined;
  /** It was sent before, and the answer did not come. */
  readonly repeated: boolean;
}

export interface Acknowledged {
  readonly asked: Asked;
  readonly answer: CommandAnswer;
}

/** A start, as it was before it was asked for. */
interface Continuation {
  /** How many heartbeats the console showed. */
  readonly from: number;
  /** The last one of the state to continue from; 0 for a guest that is booted. */
  readonly heartbeat: number;
}

export class Life {
  /** Every workspace so far; the last one lives. */
  readonly workspaceIds: string[] = [];
  readonly acknowledged: Acknowledged[] = [];
  #asked: Asked | undefined;
  #frozenAt = 0;
  #continuation: Continuation | undefined;

  /** @param guestsSurvive whether a guest lives on when the service is killed: then nothing that was asked for may fail */
  constructor(
    private readonly guestsSurvive: boolean,
    private readonly hunt: Hunt,
  ) {}

  get current(): string | undefined {
    return this.workspaceIds.at(-1);
  }

  /** One command and its outcome, and a moment in the state that it led to. Rejects with whatever the end of the service or of its store makes of a request. */
  async step(api: Api, pursuit: Pursuit): Promise<void> {
    const asked = (this.#asked ??= await this.#next(api));
    this.#asked = { ...asked, repeated: true };
    const [begins, leadsTo] = stagesOf[asked.verb];
    pursuit.during(begins);
    const began = performance.now();
    const answer = await this.#send(api, asked).catch((error: unknown) => {
      // Answered, after all: nothing has happened to the guest meanwhile, so it is sent again as it was.
      if (error instanceof StoreAway) this.#asked = asked;
      throw error;
    });
    this.#asked = undefined;
    if (answer === undefined) return;
    this.acknowledged.push({ asked, answer });
    if (asked.verb === 'create') this.workspaceIds.push(answer.workspaceId);
    if (answer.requestId !== undefined) await this.#awaitOutcome(api, asked, answer);
    this.hunt.learn(begins, performance.now() - began);
    if (asked.verb === 'start') await this.#proveContinuation(api, asked.repeated);
    await pursuit.resting(leadsTo);
  }

  /** Asks again what was not answered, without a kill. */
  async catchUp(api: Api): Promise<void> {
    while (this.#asked !== undefined) await this.step(api, noPursuit());
  }

  /** Leads the workspace off its host, without a kill. */
  async takeBack(api: Api): Promise<void> {
    await this.catchUp(api);
    while ((await this.#view(api))?.placement.kind === 'staged') await this.step(api, noPursuit());
  }

  /** As it is after all that was acknowledged; a service that has lost its store for a while may be behind that. */
  async #view(api: Api): Promise<WorkspaceView | undefined> {
    const { current } = this;
    if (current === undefined) return undefined;
    const position = this.acknowledged.at(-1)?.answer.position ?? 0;
    return until(30_000, `the view of ${current} at position ${position}`, async () => {
      const { status, body } = await api.get<WorkspaceView>(`/v1/workspaces/${current}?after=${position}`);
      return status === 200 ? body : undefined;
    });
  }

  async #next(api: Api): Promise<Asked> {
    const view = await this.#view(api);
    if (view?.power.kind === 'running') await this.#proveContinuation(api, true);
    const ask = view && nextCommand(view, await api.history(view.workspaceId));
    if (view !== undefined && ask !== undefined) await this.#noteHeartbeats(api, view, ask);
    const commandId = randomUUID();
    if (ask === undefined) return { verb: 'create', commandId, workspaceId: undefined, repeated: false };
    return { ...ask, commandId, workspaceId: this.current, repeated: false };
  }

  /** Undefined for a command that its guest did not live to see. */
  async #send(api: Api, asked: Asked): Promise<CommandAnswer | undefined> {
    const { verb, body, commandId, workspaceId, repeated } = asked;
    const { status, body: answer } =
      workspaceId === undefined
        ? await api.post('/v1/workspaces', 'name: heartbeat\n', { commandId })
        : await api.command(workspaceId, verb, body, { commandId });
    if (status < 300) return answer;
    if (status === 503) throw new StoreAway(answer);
    const guestDied = !this.guestsSurvive && repeated && status === 409;
    if (!guestDied) throw new Error(`${verb} was answered with ${status}: ${JSON.stringify(answer)}`);
    return undefined;
  }

  async #awaitOutcome(api: Api, { verb, repeated }: Asked, answer: CommandAnswer): Promise<void> {
    const operation = await api.ended(answer.workspaceId, answer.requestId ?? '', answer.position);
    const mayFail = repeated && !this.guestsSurvive;
    if (operation.status !== 'done' && !mayFail) throw new Error(`${verb}: ${JSON.stringify(operation)}`);
  }

  async #noteHeartbeats(api: Api, view: WorkspaceView, { verb }: Ask): Promise<void> {
    const { power, placement, workspaceId } = view;
    const beats = placement.kind === 'none' ? [] : await api.beats(workspaceId);
    const frozen = power.kind === 'paused' || power.kind === 'serialised';
    if (frozen) this.#frozenAt = beats.at(-1) ?? this.#frozenAt;
    const heartbeat = power.kind === 'serialised' ? this.#frozenAt : 0;
    if (verb === 'start') this.#continuation = { from: beats.length, heartbeat };
  }

  /** A guest goes on with the number after the last one of its state; one that was booted begins with 1. */
  async #proveContinuation(api: Api, interrupted: boolean): Promise<void> {
    const workspaceId = this.current ?? '';
    const continuation = this.#continuation;
    this.#continuation = undefined;
    if (continuation === undefined || (await api.show(workspaceId)).power.kind !== 'running') return;
    const { from, heartbeat } = continuation;
    const next = await until(30_000, `heartbeat ${heartbeat + 1}`, async () => (await api.beats(workspaceId))[from]);
    const first = [heartbeat + 1];
    // A guest that dies half-way through its first line takes the number with it: the next guest's line is appended to that half.
    if (interrupted && !this.guestsSurvive) first.push(heartbeat + 2);
    expect(first, `the heartbeats that may follow ${heartbeat}`).toContain(next);
  }
}

/** Of each command: the last event of the log while it is under way, and that when it is done. */
const stagesOf = {
  create: ['nothing', 'WorkspaceCreated'],
  'check-out': ['WorkspaceCreated', 'WorkspaceCheckedOut'],
  deploy: ['DeployRequested', 'WorkspaceDeployed'],
  start: ['StartRequested', 'WorkspaceStarted'],
  pause: ['PauseRequested', 'WorkspacePaused'],
  unpause: ['UnpauseRequested', 'WorkspaceUnpaused'],
  serialise: ['SerialiseRequested', 'HotImageCaptured'],
  stop: ['StopRequested', 'WorkspaceStopped'],
  undeploy: ['UndeployRequested', 'WorkspaceCheckedIn'],
} as const;

/** Undefined when the workspace has had all its deployments. */
function nextCommand(view: WorkspaceView, history: readonly EventView[]): Ask | undefined {
  const { placement, power, lock } = view;
  if (placement.kind === 'none') {
    if (lock.kind === 'held') return { verb: 'deploy' };
    return lock.lastEpoch < deployments ? { verb: 'check-out' } : undefined;
  }
  const sinceStart = history.slice(history.findLastIndex(({ type }) => type === 'StartRequested'));
  const [start] = sinceStart;
  switch (power.kind) {
    case 'shutdown':
      return { verb: history.at(-1)?.type === 'WorkspaceStopped' ? 'undeploy' : 'start' };
    case 'running':
      return start && startsFrom(start) === 'hot-image' ? { verb: 'stop' } : { verb: 'pause' };
    case 'paused':
      if (!sinceStart.some(({ type }) => type === 'WorkspaceUnpaused')) return { verb: 'unpause' };
      return { verb: placement.epoch % 2 === 0 ? 'undeploy' : 'serialise' };
    case 'serialised':
      return power.guest === 'none' ? { verb: 'start' } : { verb: 'stop', body: { mode: 'hard' } };
    case 'unknown':
      throw new Error(`the host did not say what it sees: ${JSON.stringify(power)}`);
  }
}

/** What a StartRequested asks to begin with: `image` or `hot-image`. */
export function startsFrom({ data }: EventView): string | undefined {
  return (data.from as { readonly kind: string } | undefined)?.kind;
}
