/** One run of the service as a person sees it: settings judged, progress shown, an address and the next commands printed, a signal obeyed. */
import { StoreInUse } from '@vw/event-store';
import { createLogger, systemTimers } from '@vw/runtime';
import { ConfigurationError, loadSettings } from './config/load.js';
import { measureMachine } from './config/machine.js';
import { describeSettings, settingTable } from './config/settings.js';
import { DataInUse } from './data-folder.js';
import { sentence } from './sentence.js';
import { openService, type Service } from './service.js';

const usage = 2;
/** One Ctrl-C can arrive twice, from the terminal and from the program that started this one; what follows so soon is the same one. */
const sameSignalMs = 500;

/** Runs until a signal or a failure. Answers the exit code. */
export async function run(args: readonly string[], environment: NodeJS.ProcessEnv): Promise<number> {
  const table = settingTable(measureMachine(environment.VW_DATA ?? './var'));
  if (args.includes('--help') || args.includes('-h')) {
    say(
      `Runs the ledger and one host agent until Ctrl-C.\n\nSettings (variable, key in vw.yaml, meaning, default):\n${describeSettings(table)}`,
    );
    return 0;
  }
  if (args.length > 0)
    return complain(`there is no argument ${args.join(' ')}; settings are variables, see --help`, usage);
  try {
    const settings = loadSettings(table, environment);
    const logger = createLogger(settings.logLevel);
    const service = await openService(settings, logger, (step) => process.stderr.write(`${step} …\n`));
    // Listened for before the greeting: whoever waits for that may send one at once.
    const ended = untilSignal(service);
    say(greeting(service));
    return await ended;
  } catch (error) {
    if (error instanceof ConfigurationError) return complain(error.message, usage);
    if (error instanceof DataInUse) return complain(`${error.message}; VW_DATA names another folder`, 1);
    if (error instanceof StoreInUse)
      return complain(`${error.path} is in use by another program, such as vw store; VW_DATA names another folder`, 1);
    if (isTaken(error)) {
      const { address, port } = error;
      return complain(`port ${port} of ${address} is taken by another program; VW_HTTP_PORT names another`, 1);
    }
    return complain(sentence(error), 1);
  }
}

/** Node's complaint about a port on which somebody listens already. */
function isTaken(error: unknown): error is { readonly address: string; readonly port: number } {
  return (error as NodeJS.ErrnoException | null)?.code === 'EADDRINUSE';
}

function greeting({ url, hypervisor, logServedAt }: Service): string {
  return [
    `workspace-ledger is ready on ${url}`,
    hypervisor,
    ...(logServedAt === undefined ? [] : [`the log is served at ${logServedAt}`]),
    '',
    'In another terminal:',
    '  npx vw create -f schemas/samples/descriptions/heartbeat.yaml',
    '  npx vw ls',
    '  npx vw deploy heartbeat --wait && npx vw start heartbeat --wait',
    '  npx vw serial heartbeat -f',
    '  npx vw --help',
    '',
    'Ctrl-C finishes what is under way and stops.',
  ].join('\n');
}

/** Ends with the first signal, in order; with a second one at once. */
async function untilSignal(service: Service): Promise<number> {
  const signalled = new Promise<NodeJS.Signals>((resolve) => {
    for (const name of ['SIGINT', 'SIGTERM'] as const) {
      process.on(name, () => resolve(name));
    }
  });
  const failure = service.ended.then(
    () => undefined,
    (error: unknown) => error ?? new Error('the ledger ended'),
  );
  const first = await Promise.race([signalled, failure]);
  if (typeof first !== 'string') {
    await service.close();
    return complain(sentence(first), 1);
  }
  process.stderr.write('\nfinishing what is under way; Ctrl-C again stops at once …\n');
  const closed = new AbortController();
  void systemTimers.sleep(sameSignalMs, closed.signal).then(() => {
    for (const name of ['SIGINT', 'SIGTERM'] as const) process.on(name, () => process.exit(130));
  });
  await service.close();
  closed.abort();
  process.stderr.write('stopped\n');
  return 0;
}

function say(text: string): void {
  process.stdout.write(`${text}\n`);
}

function complain(text: string, code: number): number {
  process.stderr.write(`${text}\n`);
  return code;
}
