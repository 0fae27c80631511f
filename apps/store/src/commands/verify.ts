/** `vw store verify`: every invariant of the file, and every event that breaks one by its name. */
import { type Finding, type Verification, verifyLogFile, type Walk } from '@vw/event-store';
import type { Command } from 'commander';
import { Failure } from '../failures.js';
import { presentFileOf } from '../places.js';
import type { Progress } from '../progress.js';
import type { Perform, Session } from '../session.js';
import { counted, figure } from '../text.js';
import { count } from '../values.js';

const walks: { readonly [walk in Walk]: string } = {
  pages: 'checking the pages',
  events: 'checking the events',
  revisions: 'checking the revisions',
  ids: 'checking the ids',
};

export function addVerifyCommand(store: Command, perform: Perform): void {
  store
    .command('verify')
    .summary('check every event and every page of a file')
    .description(
      'Checks every invariant of a file, in one snapshot of it; the service may run. Exit code 1 if anything is wrong.',
    )
    .argument('[store]', 'a data folder or a file')
    .option('--most <number>', 'how many findings of each kind are listed; all are counted', count, 20)
    .action(perform(verify));
}

async function verify(session: Session, { most }: { most: number }, argument?: string): Promise<void> {
  const file = await presentFileOf(argument, session.io.env, 'verify');
  const progress = new WalkProgress(session);
  const verification = await verifyLogFile(file, {
    now: session.clock.now(),
    mostOfEach: most,
    onProgress: (walk, done, of) => progress.show(walk, done, of),
  });
  await progress.clear();
  const { counts, findings, ...figures } = verification;
  const wrong = Object.values(counts).reduce((sum, number) => sum + number, 0);
  await session.output.answer({ file, ok: wrong === 0, ...figures, counts, findings }, [
    ['file', file],
    ['events', figure(verification.events)],
    ['streams', figure(verification.streams)],
    ['head', `position ${verification.head}`],
    ['found', wrong === 0 ? 'nothing wrong' : foundIn(verification)],
    ...findings.map((finding) => ['', describeFinding(finding)] as const),
  ]);
  if (wrong > 0) throw new Failure('damaged', `${file} has ${counted(wrong, 'fault')}; restore it from a backup`);
}

function foundIn({ counts }: Verification): string {
  return Object.entries(counts)
    .map(([fault, number]) => `${figure(number)} × ${fault}`)
    .join(', ');
}

export function describeFinding({ fault, stream, revision, position, detail }: Finding): string {
  if (stream === undefined)
    return position === undefined ? `${fault}: ${detail}` : `${fault}: the event at position ${position} ${detail}`;
  const event = revision === undefined ? 'an event' : `event ${revision}`;
  return `${fault}: ${event} of stream ${stream}${position === undefined ? '' : ` (position ${position})`} ${detail}`;
}

/** One bar for each walk. */
export class WalkProgress {
  readonly #session: Session;
  #walk: Walk | undefined;
  #progress: Progress | undefined;

  constructor(session: Session) {
    this.#session = session;
  }

  async show(walk: Walk, done: number, of: number): Promise<void> {
    if (walk !== this.#walk) {
      await this.clear();
      this.#walk = walk;
      this.#progress = this.#session.output.progress(walks[walk]);
    }
    await this.#progress?.show(done, of > 0 ? done / of : undefined);
  }

  async clear(): Promise<void> {
    await this.#progress?.clear();
  }
}
