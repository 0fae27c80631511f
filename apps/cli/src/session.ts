/** What a command has at hand: the ledger, a voice, and the process around it. */
import type { Command } from 'commander';
import { Client } from './client.js';
import { UsageFailure } from './failures.js';
import type { Io } from './io.js';
import { Output } from './output/output.js';
import { printable } from './output/text.js';
import { freshCommandId } from './time.js';

export const DEFAULT_URL = 'http://127.0.0.1:8420';

/** Options that every command takes. */
interface GlobalOptions {
  readonly url?: string;
  readonly as?: string;
  readonly commandId?: string;
  readonly json?: boolean;
}

export interface Session {
  readonly client: Client;
  readonly output: Output;
  readonly io: Io;
  /** The idempotency key of the one command that this run may send. */
  readonly commandId: string;
}

/**
 * Makes of a function the action of a commander command: options as it declares them, operands in their order, undefined where
 * left out. What commander hands over is untyped; the declaration beside each action is what makes these types true.
 */
export type Perform = <Options, Operands extends (string | undefined)[]>(
  act: (session: Session, options: Options, ...operands: Operands) => Promise<void>,
) => (...given: unknown[]) => Promise<void>;

export function performWith(io: Io): Perform {
  return <Options, Operands extends (string | undefined)[]>(
      act: (session: Session, options: Options, ...operands: Operands) => Promise<void>,
    ) =>
    async (...given: unknown[]) => {
      const command = given.at(-1) as Command;
      await act(
        openSession(io, command.optsWithGlobals()),
        command.opts() as Options,
        ...(command.processedArgs as Operands),
      );
    };
}

/** @throws UsageFailure when the address, the subject or the command id could not be sent. */
function openSession(io: Io, options: GlobalOptions): Session {
  const subject = options.as ?? io.env['VW_SUBJECT'] ?? `CN=${io.user}`;
  if (printable(subject) !== subject || subject.trim() === '') {
    throw new UsageFailure(`the subject ${JSON.stringify(subject)} must be a distinguished name such as CN=ann`);
  }
  const commandId = options.commandId ?? freshCommandId();
  if (!/^[A-Za-z0-9_-]{1,64}$/.test(commandId)) {
    throw new UsageFailure(`a command id has 1 to 64 of A-Z a-z 0-9 _ -, not ${JSON.stringify(commandId)}`);
  }
  const base = baseOf(options.url ?? io.env['VW_URL'] ?? DEFAULT_URL);
  return {
    client: new Client({ base, subject, interrupted: io.interrupted }),
    output: new Output(io, options.json === true),
    io,
    commandId,
  };
}

function baseOf(text: string): URL {
  const base = URL.canParse(text) ? new URL(text) : undefined;
  if (!base || !/^https?:$/.test(base.protocol)) {
    throw new UsageFailure(`the ledger's address must be an http or https URL, not ${JSON.stringify(text)}`);
  }
  if (base.username !== '' || base.password !== '') {
    throw new UsageFailure(`the ledger's address bears no user or password: --as says who acts`);
  }
  if (!base.pathname.endsWith('/')) base.pathname += '/';
  return base;
}
