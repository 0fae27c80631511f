/** One line that tells how far something is: rewritten in place on a terminal, otherwise a line for each step and none for each second. */
import type { Sink } from '../io.js';
import { printable } from './text.js';

const CLEAR_LINE = '\r\u001b[2K';

export class Progress {
  readonly #sink: Sink;
  #step: string | undefined;
  #shown = false;

  constructor(sink: Sink) {
    this.#sink = sink;
  }

  /** `measure` changes all the time and belongs to the step: seconds, bytes. */
  async show(what: string, measure: string): Promise<void> {
    const step = printable(what);
    if (this.#sink.isTty) {
      this.#shown = true;
      await this.#sink.write(CLEAR_LINE + `${step} ${measure}`.slice(0, this.#sink.columns - 1));
    } else if (step !== this.#step) {
      await this.#sink.write(`${step} ${measure}\n`);
    }
    this.#step = step;
  }

  /** Leaves the terminal's line empty for what comes next. */
  async clear(): Promise<void> {
    if (!this.#shown) return;
    this.#shown = false;
    await this.#sink.write(CLEAR_LINE);
  }
}
