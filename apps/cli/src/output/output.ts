/**
 * What a run says, and to whom. Standard output bears the answer and nothing else: a document for programs (`--json`), text for
 * people. Progress, notes and hints go to standard error, so that a pipe never has to pick them out.
 */
import { styleText } from 'node:util';
import type { Io, Sink } from '../io.js';
import { Progress } from './progress.js';
import { printable, printableLines } from './text.js';

export type Style = 'bold' | 'dim' | 'red' | 'green' | 'yellow';
export type Paint = (style: Style, text: string) => string;

export class Output {
  readonly json: boolean;
  /** Colours the text where standard output is a terminal that wants it (no-color.org). */
  readonly paint: Paint;
  readonly #io: Io;

  constructor(io: Io, json: boolean) {
    this.#io = io;
    this.json = json;
    const colours = io.stdout.isTty && !io.env['NO_COLOR'] && io.env['TERM'] !== 'dumb';
    this.paint = colours ? (style, text) => styleText(style, text, { validateStream: false }) : (_, text) => text;
  }

  /** How wide a line may be. */
  get columns(): number {
    return this.#io.stdout.columns;
  }

  /** The one answer of a command. */
  async answer(document: unknown, text: () => string): Promise<void> {
    await this.#io.stdout.write(this.json ? `${JSON.stringify(document, null, 2)}\n` : `${text()}\n`);
  }

  /** One of a stream of answers: a line of NDJSON, or of text. */
  async line(document: unknown, text: () => string): Promise<void> {
    await this.#io.stdout.write(`${this.json ? JSON.stringify(document) : text()}\n`);
  }

  /** Text that is the same for both, as it is. */
  async verbatim(text: string): Promise<void> {
    await this.#io.stdout.write(text);
  }

  /** Something a person should know besides. Programs find it in the document. */
  async note(text: string): Promise<void> {
    if (!this.json) await this.#io.stderr.write(`${printableLines(text)}\n`);
  }

  /** The natural next step, for a person at a terminal. */
  async hint(text: string): Promise<void> {
    if (this.json || !this.#io.stderr.isTty || !this.#io.stdout.isTty) return;
    // What was found by `npx vw` is found so again; a bare `vw` may be nowhere in PATH.
    const found = this.#io.env['npm_command'] === 'exec' ? 'npx ' : '';
    await this.#io.stderr.write(`next: ${found}${printable(text)}\n`);
  }

  progress(): Progress {
    return new Progress(this.json ? silent : this.#io.stderr);
  }
}

const silent: Sink = { isTty: false, columns: 0, write: async () => undefined };
