import { describe, expect, it } from 'vitest';
import type { ImageDigest, ImageId } from '../ids.js';
import { digestOf } from '../testing/scenario.js';
import { decideImage, evolveImage, type ImageCommand, type ImageEvent, noImage } from './index.js';

const data = {
  imageId: 'tiny' as ImageId,
  name: 'tiny',
  kind: 'kernel',
  digest: digestOf('a'),
  sizeBytes: 525,
  architecture: 'x86',
} as const;
const added: ImageEvent = { type: 'ImageAdded', data };
const corrupted: ImageEvent = {
  type: 'ImageCorrupted',
  data: { imageId: data.imageId, digest: data.digest, evidence: 'a chunk differs' },
};
const retired: ImageEvent = { type: 'ImageRetired', data: { imageId: data.imageId, reason: 'old' } };

const add: ImageCommand = { type: 'add', ...data };
const report = (digest: ImageDigest = data.digest): ImageCommand => ({
  type: 'report-corruption',
  digest,
  evidence: 'a chunk differs',
});
const retire: ImageCommand = { type: 'retire', reason: 'old' };

const after = (...events: ImageEvent[]) =>
  events.reduce(
    (state, event, revision) => evolveImage(state, { event, revision, position: revision, metadata: {} as never }),
    noImage,
  );
const given = (...events: ImageEvent[]) => ({
  when: (command: ImageCommand) => decideImage(after(...events), command),
});
const accepted = (...events: ImageEvent[]) => ({ kind: 'accepted', events });
const alreadyDone = { kind: 'already-done' };
const notFound = { kind: 'refused', refusal: { reason: 'NOT_FOUND' } };

describe('add', () => {
  it('adds the first version, and has nothing to do for the same again', () => {
    expect(given().when(add)).toEqual(accepted(added));
    expect(given(added).when(add)).toEqual(alreadyDone);
  });

  it.each([
    ['other bytes', { ...data, digest: digestOf('b') }],
    ['another kind', { ...data, kind: 'disk' as const }],
    ['another architecture', { ...data, architecture: 'x86_64' }],
  ])('makes the next version of %s', (_, next) => {
    expect(given(added).when({ type: 'add', ...next })).toEqual(accepted({ type: 'ImageAdded', data: next }));
  });

  it('mends a corrupted image with the same bytes, and brings a retired one back', () => {
    for (const event of [corrupted, retired]) expect(given(added, event).when(add)).toEqual(accepted(added));
    expect(after(added, corrupted, added)).toMatchObject({ kind: 'available', imageKind: 'kernel', revision: 2 });
  });
});

describe('report-corruption', () => {
  it('is recorded once', () => {
    expect(given(added).when(report())).toEqual(accepted(corrupted));
    expect(given(added, corrupted).when(report())).toEqual(alreadyDone);
    expect(after(added, corrupted).kind).toBe('corrupted');
  });

  it('of an earlier version says nothing of this one', () => {
    expect(given(added).when(report(digestOf('b')))).toEqual(alreadyDone);
  });

  it('needs an image', () => {
    expect(given().when(report())).toMatchObject(notFound);
  });
});

describe('retire', () => {
  it('is recorded once', () => {
    expect(given(added).when(retire)).toEqual(accepted(retired));
    expect(given(added, retired).when(retire)).toEqual(alreadyDone);
    expect(given(added, corrupted).when(retire)).toEqual(accepted(retired));
    expect(after(added, retired)).toMatchObject({ kind: 'retired', digest: data.digest, revision: 1 });
  });

  it('needs an image', () => {
    expect(given().when(retire)).toMatchObject(notFound);
  });
});
