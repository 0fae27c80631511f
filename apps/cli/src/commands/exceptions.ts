/** The ways out, when things did not go as they should. Each is recorded with its reason. */
import type { Command } from 'commander';
import type { Perform } from '../session.js';
import { send } from './sending.js';

interface Reason {
  reason: string;
}

export function addExceptionCommands(program: Command, perform: Perform): void {
  program
    .command('cancel <id>')
    .summary('ask the host to give up what is under way')
    .description('Asks the host to give up the open intent; the outcome still comes from the host.')
    .requiredOption('-r, --reason <text>', 'why; recorded')
    .action(perform((session, { reason }: Reason, id: string) => send(session, 'cancel', id, { reason })));
  program
    .command('repair <id>')
    .summary('declare a corrupted workspace fit again')
    .description('Declares a corrupted workspace fit again, with another image or without its hot image if need be.')
    .requiredOption('-r, --reason <text>', 'why; recorded')
    .option('--discard-hot-image', 'forget the paused computation')
    .option('--image <name>', 'boot this image from now on')
    .action(
      perform((session, options: Reason & { discardHotImage?: true; image?: string }, id: string) =>
        send(session, 'repair', id, options),
      ),
    );
  program
    .command('override <id>')
    .summary('assert that the guest is gone from a lost host')
    .description(
      'Asserts, as an operator who has looked, that the host has no guest of it any more. A wrong assertion can make two.',
    )
    .requiredOption('-r, --reason <text>', 'how that is known; recorded')
    .action(perform((session, { reason }: Reason, id: string) => send(session, 'override', id, { reason })));
}
