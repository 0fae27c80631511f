/**
 * When the service, or its store, is killed. A stage is the last event that the log held of the workspace when the kill came, or the service's start-up; the
 * stages that were hit least are the likeliest to be hit next, so that a long hunt hits them all.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Chance } from './chance.js';

export const startUp = 'start-up';

/** Every stage of the demo's life. */
export const stages = [
  startUp,
  ...['WorkspaceCreated', 'WorkspaceCheckedOut', 'DeployRequested', 'WorkspaceDeployed'],
  ...['StartRequested', 'WorkspaceStarted', 'PauseRequested', 'WorkspacePaused'],
  ...['UnpauseRequested', 'WorkspaceUnpaused', 'SerialiseRequested', 'HotImageCaptured'],
  ...['StopRequested', 'WorkspaceStopped', 'UndeployRequested', 'WorkspaceCheckedIn'],
] as const;

/** How long a stage is taken to last until it was seen to end. */
const unknownMs = 60;
/** How much later than the usual end of a stage a kill meant for it may come. */
const overshoot = 1.25;

export class Hunt {
  readonly #hits = new Map<string, number>(stages.map((stage) => [stage, 0]));
  readonly #usualMs = new Map<string, number>();

  constructor(readonly chance: Chance) {}

  get histogram(): Record<string, number> {
    return Object.fromEntries(this.#hits);
  }

  count(stage: string): void {
    this.#hits.set(stage, (this.#hits.get(stage) ?? 0) + 1);
  }

  /** What was seen of a stage's length. */
  learn(stage: string, lastedMs: number): void {
    this.#usualMs.set(stage, lastedMs);
  }

  /** @param kill ends what is hunted; once */
  pursue(kill: () => Promise<void>): Pursuit {
    return new Pursuit(kill, (stage) => this.#patience(stage));
  }

  /** After how many milliseconds to strike in this stage; undefined to let it pass. */
  #patience(stage: string): number | undefined {
    const least = Math.min(...stages.map((each) => this.#hits.get(each) ?? 0));
    const ahead = (this.#hits.get(stage) ?? 0) - least;
    if (this.chance.next() > 1 / (2 + 2 * ahead)) return undefined;
    return this.chance.next() * overshoot * (this.#usualMs.get(stage) ?? unknownMs);
  }
}

/** Lets everything pass. */
export const noPursuit = () =>
  new Pursuit(
    () => Promise.resolve(),
    () => undefined,
  );

/** The end of one run of a process. */
export class Pursuit {
  /** When it was killed, in milliseconds since the Unix epoch. */
  struckAt: number | undefined;
  /** Resolves when `kill` has. */
  over: Promise<void> | undefined;

  constructor(
    private readonly kill: () => Promise<void>,
    private readonly patience: (stage: string) => number | undefined,
  ) {}

  /** A stage begins that the service goes through by itself: the kill may come on the way. */
  during(stage: string): void {
    if (this.over !== undefined) return;
    const ms = this.patience(stage);
    if (ms !== undefined) this.over = this.#strike(ms);
  }

  /** A stage in which nothing happens: answers whether the kill came in it. */
  async resting(stage: string): Promise<boolean> {
    this.during(stage);
    await this.over;
    return this.over !== undefined;
  }

  async #strike(afterMs: number): Promise<void> {
    await sleep(afterMs);
    this.struckAt = Date.now();
    await this.kill();
  }
}
