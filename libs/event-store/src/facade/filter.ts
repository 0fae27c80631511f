/** The filter of a read of `$all`: on stream name or event type, by prefixes or by a pattern, judged before any bytes are read. */
import type { Matches } from '../log.js';
import type { streams } from '../protocol/index.js';
import { linearPattern } from './pattern.js';
import { named } from './proposals.js';
import { invalidArgument } from './refusals.js';

/** What the official server takes for a window where the client names none. */
const DEFAULT_WINDOW = 32;

export interface Filter {
  readonly matches: Matches;
  /** Events considered from one checkpoint of a subscription to the next. */
  readonly checkpointInterval: number;
}

type Options = streams.ReadReq.Options.FilterOptions;

/** @throws Refusal that names the field */
export function filterOf(options: Options): Filter {
  const window = options.hasMax() ? options.getMax() : DEFAULT_WINDOW;
  if (window === 0) throw invalidArgument('filter.max must be at least 1');
  return {
    matches: matcherOf(options),
    checkpointInterval: window * options.getCheckpointintervalmultiplier(),
  };
}

function matcherOf(options: Options): Matches {
  const ofType = options.getEventType();
  if (ofType) {
    const test = testOf(ofType, 'filter.event_type');
    return ({ type }) => test(type);
  }
  const ofStream = options.getStreamIdentifier();
  if (!ofStream) throw invalidArgument('filter: neither stream_identifier nor event_type is set');
  const test = testOf(ofStream, 'filter.stream_identifier');
  return ({ stream }) => test(stream);
}

/** A pattern goes before prefixes; without either, nothing matches, as on the official server. */
function testOf(
  expression: streams.ReadReq.Options.FilterOptions.Expression,
  field: string,
): (text: string) => boolean {
  const regex = expression.getRegex();
  if (regex) return named(`${field}.regex`, () => linearPattern(regex));
  const prefixes = expression.getPrefixList();
  return (text) => prefixes.some((prefix) => text.startsWith(prefix));
}
