/** What hosts are asked to do with a workspace. Each opens an intent; its outcome comes from the host, and --wait waits for it. */
import { type Command, Option } from 'commander';
import type { Perform } from '../session.js';
import { seconds, secondsOr } from '../values.js';
import type { IntentVerb } from '../wait.js';
import { sendIntent } from './sending.js';

const WAIT_SECONDS = 600;

interface Patience {
  wait?: number;
  deadline?: number;
}

export function addHostingCommands(program: Command, perform: Perform): void {
  const intent = (verb: IntentVerb, summary: string, description: string) =>
    program
      .command(`${verb} <id>`)
      .summary(summary)
      .description(description)
      .option(
        '--wait [seconds]',
        `wait for the outcome, at most so long (default: ${WAIT_SECONDS})`,
        secondsOr(WAIT_SECONDS),
      )
      .option(
        '--deadline <duration>',
        'when the ledger asks the host what became of it (default: the ledger’s)',
        seconds,
      );

  intent(
    'deploy',
    'stage a workspace to a host',
    'Stages every component to one host; checks a free workspace out first.',
  )
    .option('--host <id>', 'the host (default: the ledger chooses)')
    .option('--image <name>', 'the image to boot, this time')
    .action(
      perform((session, { wait, deadline, host, image }: Patience & { host?: string; image?: string }, id: string) =>
        sendIntent(session, 'deploy', id, { host, image, deadlineSeconds: deadline }, wait),
      ),
    );
  intent('start', 'boot the guest', 'Boots the guest, or continues it from its hot image.')
    .addOption(
      new Option('--from <source>', 'where to begin (default: the hot image if there is one)').choices([
        'image',
        'hot-image',
      ]),
    )
    .action(
      perform((session, { wait, deadline, from }: Patience & { from?: string }, id: string) =>
        sendIntent(session, 'start', id, { from, deadlineSeconds: deadline }, wait),
      ),
    );
  intent('stop', 'shut the guest down', 'Shuts the guest down: asks it first, then takes the power.')
    .option('--hard', 'take the power at once')
    .option('--grace <duration>', 'how long the guest may take', seconds)
    .action(
      perform((session, { wait, deadline, hard, grace }: Patience & { hard?: true; grace?: number }, id: string) =>
        sendIntent(session, 'stop', id, { mode: hard && 'hard', graceSeconds: grace, deadlineSeconds: deadline }, wait),
      ),
    );

  const plain = (verb: 'pause' | 'unpause' | 'serialise' | 'undeploy', summary: string, description: string) =>
    intent(verb, summary, description).action(
      perform((session, { wait, deadline }: Patience, id: string) =>
        sendIntent(session, verb, id, { deadlineSeconds: deadline }, wait),
      ),
    );
  plain('pause', 'freeze the guest in memory', 'Freezes the guest’s computation in the host’s memory.');
  plain('unpause', 'continue a paused guest', 'Continues a paused guest.');
  plain(
    'serialise',
    'write a paused guest to a hot image',
    'Writes a paused guest’s full state to a hot image, from which a later start continues.',
  );
  plain(
    'undeploy',
    'stage a workspace back and free the host',
    'Stages back what changed, frees the host and releases the lock.',
  );
}
