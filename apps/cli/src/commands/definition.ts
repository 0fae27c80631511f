/** What a workspace is: create, clone, refine, its lifetime, its end. */
import { readFile } from 'node:fs/promises';
import { basename } from 'node:path';
import { buffer as bytesOf } from 'node:stream/consumers';
import type { Command } from 'commander';
import { parse } from 'yaml';
import { UsageFailure, whyUnreadable } from '../failures.js';
import { hintNext, tellAnswer, tellNotices } from '../output/answer.js';
import { resolveWorkspace } from '../resolve.js';
import type { Perform, Session } from '../session.js';
import { instant, seconds } from '../values.js';
import { send } from './sending.js';

/** The server reads all three, and says what it made of them. */
type Notation = 'json' | 'yaml' | 'xml';

export function addDefinitionCommands(program: Command, perform: Perform): void {
  program
    .command('create')
    .summary('register a workspace from its description')
    .description('Registers a workspace from a description in JSON, YAML or XML (the paper’s VW Factory).')
    .requiredOption('-f, --file <file>', 'the description; - reads standard input')
    .option('--image <name>', 'the image to boot, whatever the description says')
    .action(perform(create));
  program
    .command('clone <id>')
    .summary('register a copy of a workspace’s definition')
    .description('Registers a new workspace with the definition of another; the copy is on no host.')
    .option('--name <name>', 'the copy’s name, instead of the original’s')
    .action(perform(clone));
  program
    .command('refine <id>')
    .summary('change a workspace’s description, image or VMM')
    .description('Changes the definition of a workspace that is on no host.')
    .option('-f, --file <file>', 'a whole new description, JSON or YAML; - reads standard input')
    .option('--image <name>', 'the image to boot')
    .option('--vmm <type>', 'the VMM it needs: v86, qemu, …')
    .action(perform(refine));
  program
    .command('set-lifetime <id>')
    .summary('set when a workspace expires')
    .description('Sets when a workspace expires; revives an expired one.')
    .option('--for <duration>', 'from now: 90s, 15m, 2h, 7d', seconds)
    .option('--until <instant>', 'RFC 3339 with its zone', instant)
    .option('--forever', 'never')
    .action(perform(setLifetime));
  program
    .command('retire <id>')
    .summary('end a workspace for good')
    .description('Ends a workspace for good. Its history stays.')
    .requiredOption('-r, --reason <text>', 'why; recorded')
    .action(perform((session, { reason }: { reason: string }, id: string) => send(session, 'retire', id, { reason })));
}

async function create(session: Session, options: { file: string; image?: string }): Promise<void> {
  const bytes = await readDescription(session, options.file);
  const filename = options.file === '-' ? undefined : basename(options.file);
  const query = { image: options.image, filename };
  const answer = await session.client.create(
    bytes,
    `application/${notationOf(filename, bytes)}`,
    query,
    session.commandId,
  );
  await session.output.answer(answer, () =>
    [`created ${answer.workspaceId}`, ...(answer.reference ? [`reference ${answer.reference.uri}`] : [])].join('\n'),
  );
  await tellNotices(session, answer);
  await hintNext(session, 'create', answer.workspaceId);
}

async function clone(session: Session, { name }: { name?: string }, typed: string): Promise<void> {
  const source = await resolveWorkspace(session.client, typed);
  const answer = await session.client.command(source, 'clone', { name }, session.commandId);
  await session.output.answer(answer, () => `cloned ${typed} as ${answer.workspaceId}`);
  await tellNotices(session, answer);
  await hintNext(session, 'clone', answer.workspaceId);
}

async function refine(
  session: Session,
  options: { file?: string; image?: string; vmm?: string },
  typed: string,
): Promise<void> {
  const { file, image, vmm } = options;
  if (file === undefined && image === undefined && vmm === undefined) {
    throw new UsageFailure('refine changes nothing without --file, --image or --vmm');
  }
  const description = file === undefined ? undefined : await parseDescription(session, file);
  const workspaceId = await resolveWorkspace(session.client, typed);
  const answer = await session.client.command(workspaceId, 'refine', { description, image, vmm }, session.commandId);
  await tellAnswer(session, 'refine', typed, answer);
}

async function setLifetime(
  session: Session,
  options: { for?: number; until?: string; forever?: true },
  typed: string,
): Promise<void> {
  const given = [options.for, options.until, options.forever].filter((choice) => choice !== undefined);
  if (given.length !== 1) throw new UsageFailure('set-lifetime takes exactly one of --for, --until and --forever');
  await send(
    session,
    'set-lifetime',
    typed,
    options.for === undefined ? { expiresAt: options.until ?? null } : { seconds: options.for },
  );
}

async function readDescription({ io }: Session, file: string): Promise<Uint8Array<ArrayBuffer>> {
  if (file === '-') return Buffer.from(await bytesOf(io.stdin));
  try {
    return await readFile(file);
  } catch (cause) {
    throw new UsageFailure(`cannot read the description ${file}: ${whyUnreadable(cause)}`, { cause });
  }
}

async function parseDescription(session: Session, file: string): Promise<object> {
  const bytes = await readDescription(session, file);
  if (notationOf(file, bytes) === 'xml')
    throw new UsageFailure('refine takes a description in JSON or YAML, not in XML');
  let found: unknown;
  try {
    found = parse(Buffer.from(bytes).toString('utf8'));
  } catch (cause) {
    const [what] = (cause as Error).message.split('\n', 1);
    throw new UsageFailure(`the description ${file} is neither JSON nor YAML: ${what}`, { cause });
  }
  if (typeof found === 'object' && found !== null && !Array.isArray(found)) return found;
  throw new UsageFailure(`the description ${file} has no fields`);
}

/** By the file's name where that tells, otherwise by its first character that is not space. */
function notationOf(filename: string | undefined, bytes: Uint8Array): Notation {
  switch (/\.([a-z]+)$/i.exec(filename ?? '')?.[1]?.toLowerCase()) {
    case 'json':
      return 'json';
    case 'yaml':
    case 'yml':
      return 'yaml';
    case 'xml':
      return 'xml';
    default: {
      const first = /^[\s\ufeff]*(.)/.exec(Buffer.from(bytes.subarray(0, 1_024)).toString('utf8'))?.[1];
      return first === '<' ? 'xml' : first === '{' ? 'json' : 'yaml';
    }
  }
}
