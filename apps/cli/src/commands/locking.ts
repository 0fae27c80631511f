/** Who may act on a workspace: its lock, with one holder and one epoch. */
import type { Command } from 'commander';
import type { Perform } from '../session.js';
import { seconds } from '../values.js';
import { send } from './sending.js';

const AN_HOUR_SECONDS = 3_600;

interface Lease {
  lease?: number;
}

export function addLockingCommands(program: Command, perform: Perform): void {
  program
    .command('check-out <id>')
    .summary('take a workspace’s lock')
    .description('Takes the workspace’s lock: one holder, one epoch.')
    .option('--lease <duration>', 'how long: 90s, 15m, 2h, 7d (default: the ledger’s)', seconds)
    .action(
      perform((session, { lease }: Lease, id: string) => send(session, 'check-out', id, { leaseSeconds: lease })),
    );
  program
    .command('check-in <id>')
    .summary('give the lock back')
    .description('Gives the lock of a workspace back that is on no host.')
    .action(perform((session, _options: object, id: string) => send(session, 'check-in', id, {})));
  program
    .command('renew <id>')
    .summary('hold the lock for longer')
    .description('Extends the lease of a lock that one holds.')
    .option('--lease <duration>', 'from now: 90s, 15m, 2h, 7d (default: 1h)', seconds, AN_HOUR_SECONDS)
    .action(perform((session, { lease }: Lease, id: string) => send(session, 'renew', id, { leaseSeconds: lease })));
  program
    .command('steal-lock <id>')
    .summary('take the lock from its holder')
    .description('Takes the lock from its holder. Always legal, and recorded with its reason.')
    .requiredOption('-r, --reason <text>', 'why; recorded')
    .option('--lease <duration>', 'how long: 90s, 15m, 2h, 7d (default: the ledger’s)', seconds)
    .action(
      perform((session, { reason, lease }: Lease & { reason: string }, id: string) =>
        send(session, 'steal-lock', id, { reason, leaseSeconds: lease }),
      ),
    );
}
