/** An image of the pool, under one name: each version is bytes by digest. Workspaces are cloned from it; a retired image makes no new ones. */
import { accept, alreadyDone, type Decision, refuse, unreachable } from '../decision.js';
import type { ImageDigest, ImageId } from '../ids.js';
import type { Recorded } from '../metadata.js';

export type ImageEvent =
  | {
      readonly type: 'ImageAdded';
      readonly data: {
        imageId: ImageId;
        /**
         * @minLength 1
         * @maxLength 128
         */
        name: string;
        kind: 'kernel' | 'disk';
        digest: ImageDigest;
        /**
         * @asType integer
         * @minimum 0
         */
        sizeBytes: number;
        architecture: string;
      };
    }
  | { readonly type: 'ImageCorrupted'; readonly data: { imageId: ImageId; digest: ImageDigest; evidence: string } }
  | { readonly type: 'ImageRetired'; readonly data: { imageId: ImageId; reason: string } };

export interface ImageState {
  readonly kind: 'none' | 'available' | 'corrupted' | 'retired';
  readonly imageId: ImageId;
  readonly name: string;
  readonly imageKind: 'kernel' | 'disk';
  readonly digest: ImageDigest;
  readonly sizeBytes: number;
  readonly architecture: string;
  readonly revision: number;
}

export const noImage: ImageState = {
  kind: 'none',
  imageId: '' as ImageId,
  name: '',
  imageKind: 'kernel',
  digest: '' as ImageDigest,
  sizeBytes: 0,
  architecture: '',
  revision: -1,
};

export type ImageCommand =
  | ({ readonly type: 'add' } & Extract<ImageEvent, { type: 'ImageAdded' }>['data'])
  | { readonly type: 'report-corruption'; readonly digest: ImageDigest; readonly evidence: string }
  | { readonly type: 'retire'; readonly reason: string };

export function evolveImage(state: ImageState, { event, revision }: Recorded<ImageEvent>): ImageState {
  switch (event.type) {
    case 'ImageAdded': {
      const { kind: imageKind, ...rest } = event.data;
      return { ...rest, kind: 'available', imageKind, revision };
    }
    case 'ImageCorrupted':
      return { ...state, kind: 'corrupted', revision };
    case 'ImageRetired':
      return { ...state, kind: 'retired', revision };
    default:
      return unreachable(event);
  }
}

export function decideImage(state: ImageState, command: ImageCommand): Decision<ImageEvent> {
  switch (command.type) {
    case 'add': {
      const { type: _, ...data } = command;
      const same = state.digest === data.digest && state.imageKind === data.kind;
      if (state.kind === 'available' && same && state.architecture === data.architecture) return alreadyDone;
      // New bytes under a known name are its next version; bytes put again are how a corrupted image is mended.
      return accept({ type: 'ImageAdded', data });
    }
    case 'report-corruption':
      if (state.kind === 'none') return refuse('NOT_FOUND', { digest: command.digest });
      if (state.kind === 'corrupted' || state.digest !== command.digest) return alreadyDone;
      return accept({
        type: 'ImageCorrupted',
        data: { imageId: state.imageId, digest: command.digest, evidence: command.evidence },
      });
    case 'retire':
      if (state.kind === 'none') return refuse('NOT_FOUND', {});
      if (state.kind === 'retired') return alreadyDone;
      return accept({ type: 'ImageRetired', data: { imageId: state.imageId, reason: command.reason } });
    default:
      return unreachable(command);
  }
}
