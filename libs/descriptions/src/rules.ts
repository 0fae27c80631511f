/** What must hold of a description and no schema can say: how its parts agree, and that every form of it can carry its texts. */
import type { DiskDescription, NicDescription, Range, WorkspaceDescription } from '@vw/domain';
import { problem, shown, type DescriptionProblem, type Where } from './problems.js';
import { pointerTo } from './reading.js';

type Locate = (pointer: string) => Where;

/** Lazily: who needs only the first problems does not pay for the rest. */
export function* brokenRules(description: WorkspaceDescription, locate: Locate): Generator<DescriptionProblem> {
  yield* ranges(description, locate);
  yield* kernel(description, locate);
  yield* disks(description.disks, locate);
  yield* nics(description.network.nics, locate);
  yield* texts(description, [], locate);
}

function* ranges({ requirements }: WorkspaceDescription, locate: Locate): Generator<DescriptionProblem> {
  for (const name of ['memoryMiB', 'diskMiB', 'cpus'] as const) {
    const range = requirements[name];
    if (range) yield* oneRange(range, `/requirements/${name}`, locate);
  }
}

function* oneRange(range: Range, at: string, locate: Locate): Generator<DescriptionProblem> {
  for (const bound of ['min', 'max'] as const) {
    const value = range[bound];
    // Beyond 2^53 a number is no longer the one that was written.
    if (value !== undefined && !Number.isSafeInteger(value)) {
      yield problem(
        'FIELD_INVALID',
        `must be at most ${Number.MAX_SAFE_INTEGER}, not ${shown(value)}`,
        locate(`${at}/${bound}`),
      );
    }
  }
  if (range.max !== undefined && range.max < range.min) {
    yield problem('FIELDS_CONTRADICT', `max ${range.max} is below min ${range.min}`, locate(at));
  }
}

function* kernel({ requirements }: WorkspaceDescription, locate: Locate): Generator<DescriptionProblem> {
  const required = requirements.kernel;
  if (required?.image === undefined) return;
  if (required.minVersion === undefined && required.maxVersion === undefined) return;
  yield problem(
    'FIELDS_CONTRADICT',
    'names one kernel by its image and a range of versions as well',
    locate('/requirements/kernel'),
  );
}

function* disks(all: readonly DiskDescription[], locate: Locate): Generator<DescriptionProblem> {
  for (const [index, disk] of all.entries()) {
    const at = `/disks/${index}`;
    switch (disk.role) {
      case 'blank':
        if (disk.location !== undefined) {
          yield problem(
            'FIELDS_CONTRADICT',
            'a blank disk is made empty and has no location',
            locate(`${at}/location`),
          );
        }
        break;
      case 'ram':
      case 'swap':
        if (disk.location === undefined && disk.sizeMiB === undefined) {
          yield problem('FIELD_INVALID', `a ${disk.role} disk has a location or a sizeMiB`, locate(at));
        }
        break;
      case 'root':
      case 'partition':
        if (disk.location === undefined)
          yield problem('FIELD_INVALID', `a ${disk.role} disk has a location`, locate(at));
        break;
      default:
        disk.role satisfies never;
    }
    if (disk.sizeMiB !== undefined && !Number.isSafeInteger(disk.sizeMiB)) {
      yield problem(
        'FIELD_INVALID',
        `must be at most ${Number.MAX_SAFE_INTEGER}, not ${shown(disk.sizeMiB)}`,
        locate(`${at}/sizeMiB`),
      );
    }
  }
  for (const index of repeats(all.map((disk) => (disk.role === 'root' ? 'root' : undefined)))) {
    yield problem('FIELDS_CONTRADICT', 'a second root disk', locate(`/disks/${index}`));
  }
  for (const index of repeats(all.map((disk) => disk.name))) {
    yield problem(
      'FIELDS_CONTRADICT',
      `a second disk named ${shown(all[index]?.name)}`,
      locate(`/disks/${index}/name`),
    );
  }
  for (const index of repeats(all.map((disk) => disk.mountAs))) {
    yield problem(
      'FIELDS_CONTRADICT',
      `a second disk seen as ${shown(all[index]?.mountAs)}`,
      locate(`/disks/${index}/mountAs`),
    );
  }
}

function* nics(all: readonly NicDescription[], locate: Locate): Generator<DescriptionProblem> {
  for (const index of repeats(all.map((nic) => nic.name))) {
    yield problem(
      'FIELDS_CONTRADICT',
      `a second interface named ${shown(all[index]?.name)}`,
      locate(`/network/nics/${index}/name`),
    );
  }
}

/** The indexes whose value stood earlier in the list. */
function repeats(values: readonly (string | undefined)[]): number[] {
  const seen = new Set<string>();
  return [...values.entries()].flatMap(([index, value]) => {
    if (value === undefined) return [];
    const repeated = seen.has(value);
    seen.add(value);
    return repeated ? [index] : [];
  });
}

/**
 * XML 1.0, production 2 (Char): what an XML document can hold. Text outside it could be stored and never shown as XML again.
 * Without U+FEFF, which readers of text take for a byte order mark and strip.
 */
const PORTABLE = /^[\t\n\r\u{20}-\u{D7FF}\u{E000}-\u{FEFE}\u{FF00}-\u{FFFD}\u{10000}-\u{10FFFF}]*$/u;

function* texts(value: unknown, path: readonly (string | number)[], locate: Locate): Generator<DescriptionProblem> {
  if (typeof value === 'string') {
    if (!PORTABLE.test(value))
      yield problem('TEXT_NOT_PORTABLE', 'has a character that XML cannot hold', locate(pointerTo(path)));
    return;
  }
  if (typeof value !== 'object' || value === null) return;
  for (const [key, item] of Object.entries(value)) {
    const here = [...path, key];
    if (key === '__proto__') yield problem('UNSAFE_KEY', 'the key __proto__ is not taken', locate(pointerTo(path)));
    if (!PORTABLE.test(key))
      yield problem('TEXT_NOT_PORTABLE', 'has a key with a character that XML cannot hold', locate(pointerTo(path)));
    yield* texts(item, here, locate);
  }
}
