/** `vw store export`: every event of a store as lines of text. */
import { type Position } from '@vw/event-store';
import { type Command, Option } from 'commander';
import { Failure } from '../failures.js';
import { presentPlaceOf } from '../places.js';
import type { Perform, Session } from '../session.js';
import { counted, elapsed, figure } from '../text.js';
import type { StayedBehind } from '../transfer/departures.js';
import { exportEvents, type Target } from '../transfer/exporting.js';
import { formatNames, type FormatName, formats } from '../transfer/formats.js';
import { openSource } from '../transfer/source.js';
import { count } from '../values.js';

interface Options {
  readonly format: FormatName;
  readonly to: string;
  readonly after: number;
  readonly resume?: boolean;
  readonly overwrite?: boolean;
}

export function addExportCommand(store: Command, perform: Perform): void {
  store
    .command('export')
    .summary('write every event as a line of text')
    .description(
      'Writes every event as a line of text, in the order of the log; the service may run. Interrupted, it leaves whole lines ' +
        'and perhaps a torn one, and --resume goes on from there.',
    )
    .argument('[store]', 'a data folder, a file, or esdb://…')
    .addOption(new Option('--format <format>', 'how the lines look').choices(formatNames).default('ndjson'))
    .option('--to <file>', 'where the lines go; - is standard output', '-')
    .option('--after <position>', 'only what follows this position', count, 0)
    .addOption(new Option('--resume', 'continue a file that is there').conflicts('overwrite'))
    .option('--overwrite', 'replace a file that is there')
    .action(perform(run));
}

async function run(session: Session, options: Options, argument?: string): Promise<void> {
  const { io, output } = session;
  const target = targetOf(options, session);
  const place = await presentPlaceOf(argument, io.env);
  const source = await openSource(place);
  const progress = output.progress('exporting');
  try {
    const exported = await exportEvents({
      source,
      format: formats[options.format],
      after: options.after as Position,
      target,
      progress,
    }).finally(() => progress.clear());
    const tookMs = Math.round(progress.elapsedMs);
    const { events, resumed, position, stayedBehind } = exported;
    const told = `exported ${counted(events, 'event')}${resumed > 0 ? `, after ${figure(resumed)} that were there,` : ''} up to position ${position} in ${elapsed(tookMs)}`;
    if (target.kind === 'pipe') await output.note(told);
    else {
      await output.answer({ to: target.file, ...exported, tookMs }, [
        ['export', target.file],
        ['events', told],
      ]);
    }
    for (const note of notesOn(stayedBehind)) await output.note(note);
  } finally {
    await source.close();
  }
}

function targetOf({ to, resume = false, overwrite = false }: Options, { io }: Session): Target {
  if (to !== '-') return { kind: 'file', file: to, existing: resume ? 'resume' : overwrite ? 'overwrite' : 'refuse' };
  if (resume) throw new Failure('usage', '--resume continues a file: name it with --to');
  return { kind: 'pipe', sink: io.stdout };
}

function notesOn({ tombstones, systemEvents, beheadedStreams, beheadedEvents }: StayedBehind): string[] {
  return [
    tombstones > 0 &&
      `${counted(tombstones, 'stream')} deleted for ever: what they held is exported, that they are deleted is not`,
    systemEvents > 0 && `${counted(systemEvents, 'event')} of the store's own streams stayed behind`,
    beheadedStreams > 0 &&
      `${counted(beheadedStreams, 'stream')} of which the store no longer has the beginning stayed behind, with ${counted(beheadedEvents, 'event')}`,
  ].filter((note) => note !== false);
}
