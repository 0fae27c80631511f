/**
 * Patterns that strangers send, matched in time linear in the text. JavaScript's own engine backtracks: `(a+)+$` on thirty
 * characters stops the server for minutes. Here a pattern becomes a nondeterministic automaton, and its sets of states the
 * states of a deterministic one, made as texts ask for them (Thompson 1968; Cox, "Regular Expression Matching Can Be Simple
 * And Fast").
 *
 * What such automata cannot do is refused: back-references, look-around, atomic groups. The rest of .NET's syntax that means
 * the same in JavaScript is understood: literals, `.`, classes, `\d \w \s`, anchors, word boundaries, groups, alternatives,
 * quantifiers greedy and lazy, and `(?i)` in front. Only whether a text matches anywhere is asked, so greed does not matter.
 */

/** Longer patterns are no filters. */
const MAX_LENGTH = 512;
/** Steps of the automaton, and with them the most that one character of a text can cost. */
const MAX_STEPS = 256;
/** Counted repetitions multiply parts, also such as take no step. */
const MAX_PARTS = 4 * MAX_STEPS;
/** Deterministic states kept, and ways on from each; beyond it they are made anew. */
const MAX_STATES = 512;
const MAX_WAYS = 128;

/** One character of a text (a UTF-16 unit), judged. */
type Test = (unit: string) => boolean;

type Assertion = 'start' | 'end' | 'boundary' | 'no-boundary';

type Step =
  | { readonly kind: 'unit'; readonly test: Test; readonly next: number }
  | { readonly kind: 'fork'; readonly next: readonly number[] }
  | { readonly kind: 'assert'; readonly what: Assertion; readonly next: number }
  | { readonly kind: 'match' };

/** What lies on one side of a place in the text. */
type Neighbour = 'edge' | 'word' | 'other';

/**
 * @returns whether a text contains a match, in time linear in its length
 * @throws RangeError when the pattern is malformed, too large, or beyond what an automaton can do
 */
export function linearPattern(source: string): (text: string) => boolean {
  if (source.length > MAX_LENGTH) throw new RangeError(`a pattern has at most ${MAX_LENGTH} characters`);
  const automaton = new Automaton(new Parser(source).parse());
  return (text) => automaton.matches(text);
}

/** The tree of a pattern, as the automaton is built from it. */
type Node =
  | { readonly kind: 'unit'; readonly test: Test }
  | { readonly kind: 'assert'; readonly what: Assertion }
  | { readonly kind: 'sequence'; readonly parts: readonly Node[] }
  | { readonly kind: 'choice'; readonly parts: readonly Node[] }
  | { readonly kind: 'repeat'; readonly part: Node; readonly min: number; readonly max: number };

class Parser {
  private at = 0;
  private readonly ignoreCase: boolean;

  constructor(private readonly source: string) {
    this.ignoreCase = source.startsWith('(?i)');
    if (this.ignoreCase) this.at = '(?i)'.length;
  }

  parse(): Node {
    const node = this.choice();
    if (this.at < this.source.length) throw this.malformed('an unmatched )');
    return node;
  }

  private choice(): Node {
    const parts = [this.sequence()];
    while (this.eat('|')) parts.push(this.sequence());
    return parts.length === 1 ? parts[0]! : { kind: 'choice', parts };
  }

  private sequence(): Node {
    const parts: Node[] = [];
    while (this.at < this.source.length && !this.sees('|') && !this.sees(')')) parts.push(this.repeated());
    return { kind: 'sequence', parts };
  }

  private repeated(): Node {
    const part = this.atom();
    const range = this.quantifier();
    if (!range) return part;
    this.eat('?');
    if (this.eat('+') || this.quantifier()) throw this.malformed('a quantifier of a quantifier');
    return { kind: 'repeat', part, ...range };
  }

  private quantifier(): { min: number; max: number } | undefined {
    if (this.eat('*')) return { min: 0, max: Infinity };
    if (this.eat('+')) return { min: 1, max: Infinity };
    if (this.eat('?')) return { min: 0, max: 1 };
    const counted = /^\{(\d{1,4})(,(\d{0,4}))?\}/.exec(this.source.slice(this.at));
    if (!counted) return undefined;
    this.at += counted[0].length;
    const min = Number(counted[1]);
    const max = counted[2] === undefined ? min : counted[3] ? Number(counted[3]) : Infinity;
    if (max < min) throw this.malformed('a repetition that ends before it begins');
    return { min, max };
  }

  private atom(): Node {
    const unit = this.source[this.at++]!;
    switch (unit) {
      case '(':
        return this.group();
      case '[':
        return this.bracket();
      case '\\':
        return this.escape();
      case '.':
        return { kind: 'unit', test: (unit) => unit !== '\n' };
      case '^':
        return { kind: 'assert', what: 'start' };
      case '$':
        return { kind: 'assert', what: 'end' };
      case '*':
      case '+':
      case '?':
        throw this.malformed(`nothing to repeat before ${unit}`);
      default:
        return this.literal(unit);
    }
  }

  private group(): Node {
    const named = /^\?(?::|<[A-Za-z_]\w*>)/.exec(this.source.slice(this.at));
    if (named) this.at += named[0].length;
    else if (this.sees('?')) throw new RangeError('look-around, atomic groups and inline options are not supported');
    const inner = this.choice();
    if (!this.eat(')')) throw this.malformed('a group without an end');
    return inner;
  }

  private bracket(): Node {
    const body = /^\^?(?:\\.|[^\]\\])+\]/s.exec(this.source.slice(this.at))?.[0];
    if (!body) throw this.malformed('a character class without an end');
    if (body.includes('-[')) throw new RangeError('subtraction of character classes is not supported');
    this.at += body.length;
    return this.native(`[${body}`);
  }

  private escape(): Node {
    const unit = this.source[this.at++];
    switch (unit) {
      case undefined:
        throw this.malformed('a \\ at the end');
      case 'b':
        return { kind: 'assert', what: 'boundary' };
      case 'B':
        return { kind: 'assert', what: 'no-boundary' };
      case 'A':
        return { kind: 'assert', what: 'start' };
      case 'z':
      case 'Z':
        return { kind: 'assert', what: 'end' };
      default:
    }
    if (/[1-9kG]/.test(unit)) throw new RangeError('back-references are not supported');
    const coded = /^(?:x[\da-fA-F]{2}|u[\da-fA-F]{4}|[pP]\{\w+\})/.exec(this.source.slice(this.at - 1))?.[0];
    if (coded) {
      this.at += coded.length - 1;
      return this.native(`\\${coded}`);
    }
    if (/[dDwWsStnrfv0]/.test(unit)) return this.native(`\\${unit}`);
    if (/[\dA-Za-z]/.test(unit)) throw this.malformed(`an unknown escape \\${unit}`);
    return this.literal(unit);
  }

  private literal(unit: string): Node {
    if (!this.ignoreCase) return { kind: 'unit', test: (other) => other === unit };
    const lower = unit.toLowerCase();
    return { kind: 'unit', test: (other) => other.toLowerCase() === lower };
  }

  /** A class of one character: there is nothing to backtrack in it, so the language's own engine may judge. */
  private native(text: string): Node {
    const flags = `${this.ignoreCase ? 'i' : ''}${/\\[pP]\{/.test(text) ? 'u' : ''}`;
    try {
      const one = new RegExp(`^${text}$`, flags);
      return { kind: 'unit', test: (unit) => one.test(unit) };
    } catch (cause) {
      throw new RangeError(`malformed pattern: ${text}`, { cause });
    }
  }

  private sees(unit: string): boolean {
    return this.source[this.at] === unit;
  }

  private eat(unit: string): boolean {
    if (!this.sees(unit)) return false;
    this.at += 1;
    return true;
  }

  private malformed(what: string): RangeError {
    return new RangeError(`malformed pattern: ${what}`);
  }
}

/** A set of steps that the automaton may be in, with what was read last. */
interface State {
  readonly steps: readonly number[];
  readonly before: Neighbour;
  readonly after: Map<string, State>;
  matchesAtEnd: boolean | undefined;
}

/** Of a state that has matched: nothing that follows changes it. */
const MATCHED: State = { steps: [], before: 'edge', after: new Map(), matchesAtEnd: true };

class Automaton {
  private readonly program: Step[] = [];
  private readonly entry: number;
  private states = new Map<string, State>();
  private parts = 0;

  constructor(node: Node) {
    this.entry = this.build(node, this.step({ kind: 'match' }));
  }

  matches(text: string): boolean {
    let state = this.state([this.entry], 'edge');
    for (let at = 0; at < text.length && state !== MATCHED; at += 1) {
      const unit = text[at]!;
      let next = state.after.get(unit);
      if (!next) {
        if (state.after.size >= MAX_WAYS) state.after.clear();
        state.after.set(unit, (next = this.advance(state, unit)));
      }
      state = next;
    }
    return (state.matchesAtEnd ??= this.reachable(state, 'edge').matched);
  }

  /** A search may begin at every place, so the entry is always among the steps. */
  private advance(state: State, unit: string): State {
    const side: Neighbour = /\w/.test(unit) ? 'word' : 'other';
    const { units, matched } = this.reachable(state, side);
    if (matched) return MATCHED;
    const next = new Set([this.entry]);
    for (const step of units) if (step.test(unit)) next.add(step.next);
    return this.state(
      [...next].toSorted((a, b) => a - b),
      side,
    );
  }

  /** What can be reached without reading, given what comes next. */
  private reachable(state: State, after: Neighbour): { units: { test: Test; next: number }[]; matched: boolean } {
    const units: { test: Test; next: number }[] = [];
    const seen = new Set(state.steps);
    for (const at of seen) {
      const step = this.program[at]!;
      switch (step.kind) {
        case 'match':
          return { units, matched: true };
        case 'unit':
          units.push(step);
          break;
        case 'fork':
          for (const next of step.next) seen.add(next);
          break;
        case 'assert':
          if (holds(step.what, state.before, after)) seen.add(step.next);
          break;
      }
    }
    return { units, matched: false };
  }

  private state(steps: readonly number[], before: Neighbour): State {
    const key = `${before} ${steps.join(' ')}`;
    const known = this.states.get(key);
    if (known) return known;
    // States that are let go may still be walked on by the text that is being read; nothing leads to them afterwards.
    if (this.states.size >= MAX_STATES) this.states = new Map();
    const state: State = { steps, before, after: new Map(), matchesAtEnd: undefined };
    this.states.set(key, state);
    return state;
  }

  /** Built from the end: each part knows what comes after it. */
  private build(node: Node, next: number): number {
    if ((this.parts += 1) > MAX_PARTS) throw tooLarge();
    switch (node.kind) {
      case 'unit':
        return this.step({ kind: 'unit', test: node.test, next });
      case 'assert':
        return this.step({ kind: 'assert', what: node.what, next });
      case 'sequence':
        return node.parts.reduceRight((after, part) => this.build(part, after), next);
      case 'choice':
        return this.step({ kind: 'fork', next: node.parts.map((part) => this.build(part, next)) });
      case 'repeat':
        return this.repeat(node, next);
    }
  }

  private repeat({ part, min, max }: { part: Node; min: number; max: number }, next: number): number {
    let at = next;
    if (max === Infinity) {
      const loop: number[] = [next];
      at = this.step({ kind: 'fork', next: loop });
      loop.push(this.build(part, at));
    } else {
      for (let more = max - min; more > 0; more -= 1)
        at = this.step({ kind: 'fork', next: [next, this.build(part, at)] });
    }
    for (let more = min; more > 0; more -= 1) at = this.build(part, at);
    return at;
  }

  private step(step: Step): number {
    if (this.program.length >= MAX_STEPS) throw tooLarge();
    return this.program.push(step) - 1;
  }
}

function holds(what: Assertion, before: Neighbour, after: Neighbour): boolean {
  switch (what) {
    case 'start':
      return before === 'edge';
    case 'end':
      return after === 'edge';
    case 'boundary':
      return (before === 'word') !== (after === 'word');
    case 'no-boundary':
      return (before === 'word') === (after === 'word');
  }
}

function tooLarge(): RangeError {
  return new RangeError('the pattern is too large: repetitions multiply what they repeat');
}
