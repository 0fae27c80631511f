/** `vw store` from its arguments to its exit code. It ends nothing itself, so a test can run it many times. */
import { type Clock, systemClock } from '@vw/runtime';
import { Command, CommanderError } from 'commander';
import { addBackupCommand } from './commands/backup.js';
import { addCompactCommand } from './commands/compact.js';
import { addExportCommand } from './commands/export.js';
import { addImportCommand } from './commands/import.js';
import { addInfoCommand } from './commands/info.js';
import { addServeCommand } from './commands/serve.js';
import { addVerifyCommand } from './commands/verify.js';
import { exitCodes, Failure, failureOf } from './failures.js';
import { type Io, ReaderGone } from './io.js';
import { performWith } from './session.js';
import { printable } from './text.js';

const EPILOGUE = `
A store is named by a data folder (its log.sqlite), a file, or an address such as esdb://127.0.0.1:2113?tls=false.
Without one it is VW_STORE, else the data folder VW_DATA, else ./var.

Exit codes:
  0  done
  1  damaged: what was looked at is not as it should be
  2  usage: what was typed makes no sense; nothing was done
  3  refused: the store is in use, a place is taken, a file does not belong
  4  not found
  5  unreachable: the store cannot be read, written or connected to
`;

const WIDEST_HELP = 100;

/** @param argv without the interpreter, the script, and the word `store` */
export async function run(argv: readonly string[], io: Io, clock: Clock = systemClock): Promise<number> {
  const help: string[] = [];
  try {
    await program(io, clock, help).parseAsync(argv, { from: 'user' });
    return exitCodes.done;
  } catch (error) {
    return await tell(error, argv, help, io);
  }
}

function program(io: Io, clock: Clock, help: string[]): Command {
  const store = new Command('vw store')
    .description('Looks after event stores: serves, examines, copies and moves them.')
    .option('--json', 'a JSON document for programs')
    .addHelpText('after', EPILOGUE)
    .configureHelp({ showGlobalOptions: true })
    // Help may be the only output; a complaint is told once, with every other failure.
    .configureOutput({
      writeOut: (text) => help.push(text),
      writeErr: (text) => help.push(text),
      outputError: () => undefined,
      getOutHelpWidth: () => Math.min(io.stdout.columns, WIDEST_HELP),
      getErrHelpWidth: () => Math.min(io.stderr.columns, WIDEST_HELP),
    })
    .exitOverride()
    .helpCommand('help [command]');
  const perform = performWith(io, clock);
  addServeCommand(store, perform);
  addInfoCommand(store, perform);
  addVerifyCommand(store, perform);
  addBackupCommand(store, perform);
  addExportCommand(store, perform);
  addImportCommand(store, perform);
  addCompactCommand(store, perform);
  return store;
}

/** Says why it ended, in one sentence or one document, and answers the exit code. */
async function tell(error: unknown, argv: readonly string[], help: readonly string[], io: Io): Promise<number> {
  if (error instanceof ReaderGone) return exitCodes.done;
  if (error instanceof CommanderError && help.length > 0) {
    await (error.exitCode === 0 ? io.stdout : io.stderr).write(help.join('')).catch(() => undefined);
    return error.exitCode === 0 ? exitCodes.done : exitCodes.usage;
  }
  const failure = error instanceof CommanderError ? new Failure('usage', complaintOf(error)) : failureOf(error);
  const told = failure
    ? argv.includes('--json')
      ? JSON.stringify(failure.document())
      : printable(failure.sentence())
    : `vw has a fault: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`;
  await io.stderr.write(`${told}\n`).catch(() => undefined);
  return failure?.exitCode ?? exitCodes.fault;
}

function complaintOf(error: CommanderError): string {
  return error.message.replace(/^error: /, '').replace(/\n/g, ' ');
}
