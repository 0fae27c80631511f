/** `vw store info`: what can be known of a store without changing it. */
import { describeLogFile, type Position, START } from '@vw/event-store';
import { rfc3339 } from '@vw/runtime';
import type { Command } from 'commander';
import { describePlace, presentPlaceOf } from '../places.js';
import type { Perform, Session } from '../session.js';
import { counted, figure, size } from '../text.js';
import { Departures } from '../transfer/departures.js';
import { LogDigest } from '../transfer/digest.js';
import { openSource, type Source } from '../transfer/source.js';

export function addInfoCommand(store: Command, perform: Perform): void {
  store
    .command('info')
    .summary('what a store holds: events, streams, bytes, head')
    .description('Tells what a store holds. Nothing is changed, and the service may run.')
    .argument('[store]', 'a data folder, a file, or esdb://…')
    .option('--digest', 'read every event and digest them, so that two stores can be compared')
    .action(perform(info));
}

async function info(
  session: Session,
  { digest: wanted = false }: { digest?: boolean },
  argument?: string,
): Promise<void> {
  const place = await presentPlaceOf(argument, session.io.env);
  const store = describePlace(place);
  const file = place.kind === 'file' ? describeLogFile(place.file) : undefined;
  const source = await openSource(place);
  try {
    const head = file?.head ?? (await source.head());
    const digest = wanted ? await digestOf(session, source, head) : undefined;
    const instant = (ms: number | undefined): string | undefined => (ms === undefined ? undefined : rfc3339(ms));
    await session.output.answer(
      {
        store,
        kind: place.kind,
        head,
        ...(file && { ...file, firstCreated: instant(file.firstCreated), lastCreated: instant(file.lastCreated) }),
        ...(digest && { digest }),
      },
      [
        ['store', store],
        ['events', file && figure(file.events)],
        ['streams', file && figure(file.streams)],
        ['head', `position ${head}`],
        ['bytes', file && `${size(file.bytes)}, and ${size(file.walBytes)} of write-ahead log`],
        ['pages', file && `${figure(file.pages)} of ${size(file.pageBytes)}, ${figure(file.freePages)} of them free`],
        ['format', file && String(file.format)],
        ['first event', instant(file?.firstCreated)],
        ['last event', instant(file?.lastCreated)],
        [
          'integrity',
          file &&
            (file.plausible
              ? 'plausible at a glance; vw store verify looks at all of it'
              : 'DAMAGED: run vw store verify'),
        ],
        ['carried', digest && `${counted(digest.events, 'event')} of ${counted(digest.streams, 'stream')}`],
        ['contents', digest && `sha256 ${digest.contents}`],
        ['places, times', digest && `sha256 ${digest.placesAndTimes}`],
      ],
    );
  } finally {
    await source.close();
  }
}

interface Digest {
  /** Those that an export would carry, and only they are digested. */
  readonly events: number;
  readonly streams: number;
  readonly contents: string;
  readonly placesAndTimes: string;
}

async function digestOf({ output }: Session, source: Source, head: Position): Promise<Digest> {
  const progress = output.progress('digesting');
  const departures = new Departures(true);
  const digest = new LogDigest();
  let events = 0;
  for await (const event of source.readAll(START, { system: true })) {
    if (!departures.leaves(event)) continue;
    digest.add(event);
    events += 1;
    await progress.show(events, head > START ? event.position / head : undefined);
  }
  await progress.clear();
  return { events, streams: departures.streams, ...digest.finish() };
}
