/** `vw` from its arguments to its exit code. It ends nothing itself, so a test can run it many times. */
import { Command, CommanderError } from 'commander';
import { addCompletionCommands } from './commands/completion.js';
import { addConsoleCommand } from './commands/console.js';
import { addDefinitionCommands } from './commands/definition.js';
import { addExceptionCommands } from './commands/exceptions.js';
import { addHostingCommands } from './commands/hosting.js';
import { addImageCommands } from './commands/images.js';
import { addLockingCommands } from './commands/locking.js';
import { addReadingCommands } from './commands/reading.js';
import { addWatchCommand } from './commands/watch.js';
import { exitCodes, Failure, UsageFailure } from './failures.js';
import { interruption, type Io, ReaderGone } from './io.js';
import { printableLines } from './output/text.js';
import { DEFAULT_URL, performWith } from './session.js';
import { version } from './version.js';

const EPILOGUE = `
An <id> is a workspace's id, a beginning of it that fits no other, or its name if it has that alone.
vw store … looks after event stores (serve, verify, backup, export, import); vw store --help tells.

Exit codes:
  0  done, or accepted where nothing waits for the outcome
  2  usage: what was typed makes no sense; nothing was sent
  3  refused by the ledger; with --wait, also an operation that failed
  4  not found
  5  unreachable: no ledger answers
  6  timed out: the operation is still open, and goes on
`;

const WIDEST_HELP = 100;

/** @param argv without the interpreter and the script. */
export async function run(argv: readonly string[], io: Io): Promise<number> {
  const interrupted = interruption(io).then(() => exitCodes.interrupted);
  return await Promise.race([interrupted, perform(argv, io)]);
}

async function perform(argv: readonly string[], io: Io): Promise<number> {
  const help: string[] = [];
  try {
    await program(io, help).parseAsync(plainWaits(argv), { from: 'user' });
    return exitCodes.done;
  } catch (failure) {
    return await tell(failure, argv, help, io);
  }
}

function program(io: Io, help: string[]): Command {
  const vw = new Command('vw')
    .description('Creates, deploys, moves and retires virtual workspaces, and tells what happened to them.')
    .version(version(), '--version', 'print the version')
    .option('--url <url>', `where the ledger is (VW_URL; default: ${DEFAULT_URL})`)
    .option('--as <subject>', `the distinguished name to act under (VW_SUBJECT; default: CN=${io.user})`)
    .option('--command-id <id>', 'idempotency key: the same again is the same command (default: a fresh one)')
    .option('--json', 'a JSON document for programs; watch: one in each line')
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
    .exitOverride();
  const act = performWith(io);
  vw.commandsGroup('What a workspace is:');
  addDefinitionCommands(vw, act);
  vw.commandsGroup('Where and how it runs:');
  addHostingCommands(vw, act);
  addConsoleCommand(vw, act);
  vw.commandsGroup('Who may act on it:');
  addLockingCommands(vw, act);
  vw.commandsGroup('What the ledger knows:');
  addReadingCommands(vw, act);
  addWatchCommand(vw, act);
  addImageCommands(vw, act);
  vw.commandsGroup('When things go wrong:');
  addExceptionCommands(vw, act);
  vw.commandsGroup('Other:').helpCommand('help [command]');
  addCompletionCommands(vw, act);
  return vw;
}

/** Says why it ended, in one sentence or one document, and answers the exit code. */
async function tell(failure: unknown, argv: readonly string[], help: readonly string[], io: Io): Promise<number> {
  // What Ctrl-C broke off is no failure of anything.
  if (io.interrupted.aborted) return exitCodes.interrupted;
  if (failure instanceof ReaderGone) return exitCodes.done;
  if (failure instanceof CommanderError && help.length > 0) {
    await (failure.exitCode === 0 ? io.stdout : io.stderr).write(help.join('')).catch(() => undefined);
    return failure.exitCode === 0 ? exitCodes.done : exitCodes.usage;
  }
  const known = failure instanceof CommanderError ? new UsageFailure(complaintOf(failure)) : failure;
  if (!(known instanceof Failure)) {
    await io.stderr.write(
      `vw has a fault: ${known instanceof Error ? (known.stack ?? known.message) : String(known)}\n`,
    );
    return exitCodes.bug;
  }
  const told = argv.includes('--json') ? JSON.stringify(known.document()) : printableLines(known.sentence());
  await io.stderr.write(`${told}\n`).catch(() => undefined);
  return known.exitCode;
}

function complaintOf(error: CommanderError): string {
  return error.message.replace(/^error: /, '').replace(/\n/g, ' ');
}

/** `--wait` before the workspace must not take its name for a number of seconds. */
function plainWaits(argv: readonly string[]): string[] {
  const end = argv.indexOf('--');
  return argv.map((word, at) => {
    const plain = word === '--wait' && (end < 0 || at < end) && !/^\d+[smhd]?$/.test(argv[at + 1] ?? '');
    return plain ? '--wait=' : word;
  });
}
