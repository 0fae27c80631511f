/** One line of a terminal that tells how far something is, how fast it goes, and how long it will take. Elsewhere it says nothing. */
import type { Clock } from '@vw/runtime';
import type { Sink } from './io.js';
import { counted, elapsed, figure } from './text.js';

const CLEAR_LINE = '\r\u001b[2K';
const REDRAW_MS = 100;
const BAR_CELLS = 24;

export interface ProgressOptions {
  readonly sink: Sink | undefined;
  readonly clock: Clock;
  readonly what: string;
  /** What is counted, in the singular. */
  readonly noun: string;
}

export class Progress {
  readonly #options: ProgressOptions;
  readonly #began: number;
  #drawn = Number.NEGATIVE_INFINITY;

  constructor(options: ProgressOptions) {
    this.#options = options;
    this.#began = options.clock.monotonic();
  }

  get elapsedMs(): number {
    return this.#options.clock.monotonic() - this.#began;
  }

  /** @param share how much of all is done, in [0, 1]; undefined where nobody knows how much there is */
  async show(done: number, share: number | undefined): Promise<void> {
    const { sink, clock, what, noun } = this.#options;
    if (!sink?.isTty || clock.monotonic() - this.#drawn < REDRAW_MS) return;
    this.#drawn = clock.monotonic();
    const ms = this.elapsedMs;
    const rate = `${figure(done / Math.max(ms / 1000, 0.001))}/s`;
    const line = `${what} ${bar(share)}${counted(done, noun)}, ${rate}${estimate(share, ms)}`;
    await sink.write(CLEAR_LINE + line.slice(0, sink.columns - 1));
  }

  /** Leaves the terminal's line empty for what comes next. */
  async clear(): Promise<void> {
    if (this.#drawn === Number.NEGATIVE_INFINITY) return;
    this.#drawn = Number.NEGATIVE_INFINITY;
    await this.#options.sink?.write(CLEAR_LINE);
  }
}

function bar(share: number | undefined): string {
  if (share === undefined) return '';
  const full = Math.round(Math.min(1, share) * BAR_CELLS);
  const percent = `${Math.floor(Math.min(1, share) * 100)}`.padStart(3);
  return `[${'#'.repeat(full)}${'.'.repeat(BAR_CELLS - full)}] ${percent} %  `;
}

function estimate(share: number | undefined, ms: number): string {
  if (share === undefined || share <= 0 || ms < 1000) return '';
  return `, ${elapsed((ms * (1 - Math.min(1, share))) / share)} left`;
}
