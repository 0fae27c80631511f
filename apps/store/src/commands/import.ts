/** `vw store import`: the lines of an export into a store, which then has the same events. */
import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { openEmbeddedStore } from '@vw/event-store';
import { type Command, Option } from 'commander';
import { Failure, failureOf } from '../failures.js';
import { describePlace, type Place, placeOf } from '../places.js';
import type { Perform, Session } from '../session.js';
import { counted, elapsed, figure } from '../text.js';
import { type FormatName, formatNames, formats } from '../transfer/formats.js';
import type { Format } from '../transfer/format.js';
import { Importer, type ImportTarget, RecordedClock } from '../transfer/importing.js';
import { ExportReader, type ReadLine } from '../transfer/reading.js';
import { openServer } from '../transfer/source.js';

const READ_BYTES = 256 * 1024;

export function addImportCommand(store: Command, perform: Perform): void {
  store
    .command('import')
    .summary('append the events of an export to a store')
    .description(
      'Appends the events of an export to a store, and steps over those that are there already, so that an interrupted import is ' +
        'simply repeated. A file is read to its end before anything is appended; of standard input, what precedes a bad line is.',
    )
    .argument('[store]', 'a data folder, a file, or esdb://…; a file that is not there is made')
    .addOption(new Option('--format <format>', 'how the lines look').choices(formatNames).default('ndjson'))
    .option('--from <file>', 'where the lines come from; - is standard input', '-')
    .action(perform(run));
}

async function run(session: Session, options: { from: string; format: FormatName }, argument?: string): Promise<void> {
  const { io, output } = session;
  const format = formats[options.format];
  const place = await placeOf(argument, io.env);
  const lines = options.from === '-' ? undefined : new ExportFile(session, format, options.from);
  const checked = await lines?.check();
  const progress = output.progress('importing');
  const target = await openTarget(place, session);
  const importer = new Importer(target);
  try {
    const reader = lines?.reader() ?? new ExportReader(format);
    const read = lines?.read(reader, progress) ?? counting(reader.read(io.stdin, 'refuse'));
    await importer.take(read);
    await progress.clear();
    if (!checked && reader.wholeBytes === 0) throw new Failure('refused', 'there is nothing in the export');
    const head = await target.store.head();
    const tookMs = Math.round(progress.elapsedMs);
    const { appended, present, writtenByStore } = importer.counts;
    await output.answer({ store: describePlace(place), ...importer.counts, head, tookMs }, [
      ['store', describePlace(place)],
      [
        'events',
        `appended ${counted(appended, 'event')}, ${figure(present)} were there already, in ${elapsed(tookMs)}`,
      ],
      [
        'metadata',
        writtenByStore > 0
          ? `${counted(writtenByStore, 'event')} the store wrote itself, with ids of its own`
          : undefined,
      ],
      ['head', `position ${head}`],
    ]);
    if (format.head !== undefined && !reader.ended) {
      await output.note('the export has no end: it was interrupted, and there may be more in the store it came from');
    }
  } catch (error) {
    await progress.clear();
    throw withCounts(error, importer);
  } finally {
    await target.store.close();
  }

  async function* counting(read: AsyncIterable<ReadLine>): AsyncGenerator<ReadLine, void, undefined> {
    let events = 0;
    for await (const line of read) {
      await progress.show((events += 1), undefined);
      yield line;
    }
  }
}

/** An export that can be read twice: first to judge it as a whole, then to import it. */
class ExportFile {
  constructor(
    private readonly session: Session,
    private readonly format: Format,
    private readonly file: string,
  ) {}

  reader(): ExportReader {
    return new ExportReader(this.format);
  }

  /** @throws Failure, BadLine: nothing was appended then */
  async check(): Promise<true> {
    const progress = this.session.output.progress('checking the file');
    const reader = this.reader();
    try {
      for await (const line of this.read(reader, progress)) void line;
    } catch (error) {
      const failure = failureOf(error);
      throw failure?.reason === 'refused'
        ? new Failure('refused', `${this.file}: ${failure.message}; nothing was imported`, { cause: error })
        : error;
    } finally {
      await progress.clear();
    }
    if (reader.wholeBytes === 0) throw new Failure('refused', `${this.file}: there is nothing in it`);
    return true;
  }

  async *read(
    reader: ExportReader,
    progress: ReturnType<Session['output']['progress']>,
  ): AsyncGenerator<ReadLine, void, undefined> {
    const { size } = await stat(this.file);
    for await (const line of reader.read(createReadStream(this.file, { highWaterMark: READ_BYTES }), 'refuse')) {
      await progress.show(reader.events, size > 0 ? line.end / size : undefined);
      yield line;
    }
  }
}

/** An embedded store keeps the times of the export; a server gives its own. @throws StoreInUse, UnknownStoreFormat, StoreUnavailable */
async function openTarget(place: Place, { clock }: Session): Promise<ImportTarget> {
  if (place.kind === 'server') {
    return { store: await openServer(place.connection), clock: undefined, keepsOrder: false };
  }
  const recorded = new RecordedClock(clock);
  return { store: await openEmbeddedStore({ file: place.file, clock: recorded }), clock: recorded, keepsOrder: true };
}

function withCounts(error: unknown, { counts: { appended } }: Importer): unknown {
  const failure = failureOf(error);
  if (!failure) return error;
  const done = appended > 0 ? `${counted(appended, 'event')} had been imported before` : 'nothing was imported';
  return new Failure(failure.reason, `${failure.message}; ${done}`, { cause: error });
}
