/** What a client asks of Streams.Read, as one value; a combination that means nothing is refused by the name of the field. */
import type { Direction } from '../log.js';
import { END, numberOf, streams } from '../protocol/index.js';
import type { UuidForm } from '../protocol/index.js';
import { filterOf } from './filter.js';
import type { Filter } from './filter.js';
import { named, targetOf } from './proposals.js';
import { invalidArgument } from './refusals.js';

export type Source =
  /** `from`: a revision, or END. */
  | { readonly kind: 'stream'; readonly stream: string; readonly from: number | 'start' }
  /** `from`: a position, or END. */
  | { readonly kind: 'all'; readonly from: number | 'start'; readonly filter: Filter | undefined };

export interface ReadRequest {
  readonly source: Source;
  readonly direction: Direction;
  /** At most so many events, or for ever. */
  readonly count: number | 'subscription';
  readonly resolveLinks: boolean;
  readonly uuidForm: UuidForm;
  /** From 1 on, the reader understands messages about the first and the last revision of a stream. */
  readonly compatibility: number;
}

type Options = streams.ReadReq.Options;
const { ReadDirection } = streams.ReadReq.Options;

/** @throws Refusal */
export function readRequestOf(request: streams.ReadReq): ReadRequest {
  const options = request.getOptions();
  if (!options) throw invalidArgument('options are not set');
  const direction = options.getReadDirection() === ReadDirection.BACKWARDS ? 'backwards' : 'forwards';
  const count = countOf(options);
  if (count === 'subscription' && direction === 'backwards') {
    throw invalidArgument('read_direction: a subscription goes forwards');
  }
  return {
    source: sourceOf(options, count === 'subscription'),
    direction,
    count,
    resolveLinks: options.getResolveLinks(),
    uuidForm: options.getUuidOption()?.hasString() ? 'string' : 'structured',
    compatibility: options.getControlOption()?.getCompatibility() ?? 0,
  };
}

function countOf(options: Options): number | 'subscription' {
  if (options.hasSubscription()) return 'subscription';
  if (!options.hasCount()) throw invalidArgument('neither count nor subscription is set');
  return Math.min(Number(options.getCount()), Number.MAX_SAFE_INTEGER);
}

function sourceOf(options: Options, subscribes: boolean): Source {
  const ofStream = options.getStream();
  if (ofStream) {
    if (options.hasFilter()) throw invalidArgument('filter: only $all is read with a filter');
    return { kind: 'stream', stream: named('stream', () => targetOf(ofStream)), from: revisionIn(ofStream) };
  }
  const ofAll = options.getAll();
  if (!ofAll) throw invalidArgument('neither stream nor all is set');
  const filterOptions = options.getFilter();
  const filter = filterOptions && filterOf(filterOptions);
  if (subscribes && filter?.checkpointInterval === 0) {
    throw invalidArgument('filter.checkpointIntervalMultiplier must be at least 1');
  }
  return { kind: 'all', from: positionIn(ofAll), filter };
}

function revisionIn(options: streams.ReadReq.Options.StreamOptions): number | 'start' {
  if (options.hasRevision()) return named('revision', () => numberOf(options.getRevision()));
  if (options.hasEnd()) return END;
  if (options.hasStart()) return 'start';
  throw invalidArgument('stream: neither revision, start nor end is set');
}

/** Commit and prepare position are one with us; what a client made up of two is taken by the first. */
function positionIn(options: streams.ReadReq.Options.AllOptions): number | 'start' {
  const position = options.getPosition();
  if (position) {
    const commit = named('position', () => numberOf(position.getCommitPosition()));
    const prepare = named('position', () => numberOf(position.getPreparePosition()));
    if (commit < prepare) throw invalidArgument('position: the commit position is less than the prepare position');
    return commit;
  }
  if (options.hasEnd()) return END;
  if (options.hasStart()) return 'start';
  throw invalidArgument('all: neither position, start nor end is set');
}
