/**
 * One queue per workspace, a bounded number of workspaces at work at once.
 *
 *  1. Two jobs of one workspace never overlap, and keep their order: a job that is to be done again is done again before those behind it.
 *  2. A job that waits for its repetition holds no place among those at work: one VMM that does not answer must not stop the host.
 *  3. After `stop` nothing begins any more. What was waiting is forgotten here; the journal knows it.
 */
import type { Logger, Timers } from '@vw/runtime';

/** `again`: what is true cannot be told yet. */
export type Job = () => Promise<'done' | 'again'>;

const FIRST_PAUSE_MS = 250;
const LONGEST_PAUSE_MS = 30_000;

export class KeyedQueue {
  readonly #lines = new Map<string, Job[]>();
  readonly #serving = new Set<Promise<void>>();
  readonly #waiting: (() => void)[] = [];
  readonly #stopped = new AbortController();
  #places: number;

  constructor(
    maxParallel: number,
    private readonly timers: Timers,
    private readonly logger: Logger,
  ) {
    this.#places = maxParallel;
  }

  /** Jobs that are not done yet. */
  get length(): number {
    return [...this.#lines.values()].reduce((sum, line) => sum + line.length, 0);
  }

  add(key: string, job: Job): void {
    if (this.#stopped.signal.aborted) return;
    const line = this.#lines.get(key);
    if (line) {
      line.push(job);
      return;
    }
    const fresh = [job];
    this.#lines.set(key, fresh);
    const serving = this.#serve(key, fresh);
    this.#serving.add(serving);
    void serving.finally(() => this.#serving.delete(serving));
  }

  /** Resolves when those at work have finished. */
  async stop(): Promise<void> {
    this.#stopped.abort();
    for (const wake of this.#waiting.splice(0)) wake();
    await Promise.all(this.#serving);
  }

  async #serve(key: string, line: Job[]): Promise<void> {
    let pauseMs = FIRST_PAUSE_MS;
    for (let job = line[0]; job !== undefined; job = line[0]) {
      const verdict = await this.#work(key, job);
      if (this.#stopped.signal.aborted) break;
      if (verdict === 'done') {
        line.shift();
        pauseMs = FIRST_PAUSE_MS;
      } else {
        await this.timers.sleep(pauseMs, this.#stopped.signal);
        pauseMs = Math.min(pauseMs * 2, LONGEST_PAUSE_MS);
      }
    }
    this.#lines.delete(key);
  }

  async #work(key: string, job: Job): Promise<'done' | 'again'> {
    await this.#takePlace();
    try {
      return this.#stopped.signal.aborted ? 'again' : await job();
    } catch (error) {
      this.logger.error(
        { err: error, workspaceId: key },
        'a job ended in a way that it should not know; it will be done again',
      );
      return 'again';
    } finally {
      this.#leavePlace();
    }
  }

  async #takePlace(): Promise<void> {
    while (this.#places === 0 && !this.#stopped.signal.aborted) {
      await new Promise<void>((wake) => this.#waiting.push(wake));
    }
    this.#places -= 1;
  }

  #leavePlace(): void {
    this.#places += 1;
    this.#waiting.shift()?.();
  }
}
