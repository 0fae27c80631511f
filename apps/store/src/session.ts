/** What a command has at hand: a voice, the process around it, and the time. */
import type { Clock } from '@vw/runtime';
import type { Command } from 'commander';
import type { Io } from './io.js';
import { Output } from './output.js';

export interface Session {
  readonly io: Io;
  readonly output: Output;
  readonly clock: Clock;
}

/**
 * Makes of a function the action of a commander command: options as it declares them, operands in their order, undefined where
 * left out. What commander hands over is untyped; the declaration beside each action is what makes these types true.
 */
export type Perform = <Options, Operands extends (string | undefined)[]>(
  act: (session: Session, options: Options, ...operands: Operands) => Promise<void>,
) => (...given: unknown[]) => Promise<void>;

export function performWith(io: Io, clock: Clock): Perform {
  return <Options, Operands extends (string | undefined)[]>(
      act: (session: Session, options: Options, ...operands: Operands) => Promise<void>,
    ) =>
    async (...given: unknown[]) => {
      const command = given.at(-1) as Command;
      const { json = false } = command.optsWithGlobals<{ json?: boolean }>();
      await act(
        { io, clock, output: new Output(io, clock, json) },
        command.opts() as Options,
        ...(command.processedArgs as Operands),
      );
    };
}
