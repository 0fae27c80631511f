/** The ledger's events as they are recorded. */
import type { Command } from 'commander';
import { follow } from '../follow.js';
import { eventLine } from '../output/event.js';
import { resolveWorkspace } from '../resolve.js';
import type { Perform, Session } from '../session.js';
import { count } from '../values.js';

export function addWatchCommand(program: Command, perform: Perform): void {
  program
    .command('watch [id]')
    .summary('print events as they are recorded')
    .description('Prints events as they are recorded, of one workspace or of all; with --json a document in each line.')
    .option('--after <position>', 'begin after this position of the log (default: now)', count)
    .action(perform(watch));
}

async function watch({ client, output, io }: Session, { after }: { after?: number }, typed?: string): Promise<void> {
  const workspace = typed === undefined ? undefined : await resolveWorkspace(client, typed);
  for await (const event of follow(client, { workspace }, after, io.interrupted)) {
    await output.line(event, () => eventLine(output, event));
  }
}
