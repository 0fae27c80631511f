/**
 * What a run says, and to whom. Standard output bears the answer and nothing else: a document for programs (`--json`), text for
 * people. Progress and notes go to standard error, so that a pipe never has to pick them out.
 */
import type { Clock } from '@vw/runtime';
import type { Io } from './io.js';
import { Progress } from './progress.js';
import { printable } from './text.js';

export class Output {
  constructor(
    private readonly io: Io,
    private readonly clock: Clock,
    private readonly json: boolean,
  ) {}

  /** The one answer of a command: a document, or lines of `name  value`; where a value is undefined its line is left out. */
  async answer(
    document: object,
    facts: readonly (readonly [name: string, value: string | undefined])[],
  ): Promise<void> {
    if (this.json) return await this.io.stdout.write(`${JSON.stringify(document, null, 2)}\n`);
    const told = facts.filter(([, value]) => value !== undefined);
    const width = Math.max(...told.map(([name]) => name.length));
    const lines = told.map(([name, value]) => `${name.padEnd(width)}  ${printable(value ?? '')}\n`);
    await this.io.stdout.write(lines.join(''));
  }

  /** Something a person should know besides. Programs find it in the document. */
  async note(text: string): Promise<void> {
    if (!this.json) await this.io.stderr.write(`${printable(text)}\n`);
  }

  /** @param noun what is counted, in the singular */
  progress(what: string, noun = 'event'): Progress {
    return new Progress({ sink: this.json ? undefined : this.io.stderr, clock: this.clock, what, noun });
  }
}
