/** `vw store backup`: a copy of the log, taken while the service writes, that is restored by putting it where the log was. */
import { backupLogFile, BackupRefused, type Verification } from '@vw/event-store';
import type { Command } from 'commander';
import { stat } from 'node:fs/promises';
import { Failure } from '../failures.js';
import { presentFileOf } from '../places.js';
import type { Perform, Session } from '../session.js';
import { elapsed, figure, size } from '../text.js';
import { describeFinding, WalkProgress } from './verify.js';

export function addBackupCommand(store: Command, perform: Perform): void {
  store
    .command('backup')
    .summary('copy the log into one file, while the service runs')
    .description(
      'Copies the log into one file, verifies the copy, and only then gives it its name. The service may run and write meanwhile. ' +
        'Restored by copying that one file to DIR/log.sqlite of an empty data folder.',
    )
    .argument('[store]', 'a data folder or a file')
    .requiredOption('--to <file>', 'where the copy goes; there must be room for the whole log')
    .option('--overwrite', 'replace a file that is there')
    .action(perform(backup));
}

async function backup(
  session: Session,
  options: { to: string; overwrite?: boolean },
  argument?: string,
): Promise<void> {
  const { to, overwrite = false } = options;
  const file = await presentFileOf(argument, session.io.env, 'backup');
  // Told before the work; that nobody was quicker is seen to when the copy gets its name.
  if (!overwrite && (await isThere(to))) throw takenPlace(to);
  // It would be applied to the copy; and whoever holds the log that is there would go on writing to a file without a name.
  if (await isThere(`${to}-wal`))
    throw new Failure('refused', `${to}-wal belongs to another log: stop what uses that log, and move both away`);
  const progress = new WalkProgress(session);
  const begun = session.clock.monotonic();
  const { events, streams, head } = await backupLogFile({
    file,
    to,
    overwrite,
    now: session.clock.now(),
    onProgress: (walk, done, of) => progress.show(walk, done, of),
  }).catch((error: unknown) => {
    throw explained(error, to);
  });
  await progress.clear();
  const { size: bytes } = await stat(to);
  const tookMs = Math.round(session.clock.monotonic() - begun);
  await session.output.answer({ file, to, bytes, events, streams, head, tookMs }, [
    ['backup', to],
    ['of', file],
    ['events', `${figure(events)} of ${figure(streams)} streams, up to position ${head}`],
    ['bytes', size(bytes)],
    ['took', `${elapsed(tookMs)}; verified`],
  ]);
}

async function isThere(file: string): Promise<boolean> {
  return (await stat(file).catch(() => undefined)) !== undefined;
}

function explained(error: unknown, to: string): unknown {
  if (error instanceof BackupRefused)
    return new Failure('damaged', `${error.message}: ${firstOf(error.verification)}`, { cause: error });
  if ((error as NodeJS.ErrnoException).code === 'EEXIST') return takenPlace(to);
  return error;
}

function firstOf({ findings }: Verification): string {
  const [finding] = findings;
  return finding ? describeFinding(finding) : 'vw store verify says how';
}

function takenPlace(to: string): Failure {
  return new Failure('refused', `${to} is there already: --overwrite replaces it`);
}
