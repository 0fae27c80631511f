/**
 * The pool of images from which workspaces are made. Bytes first, then the event: an event never names bytes that are not there; bytes that no event names
 * are harmless, and the same add repeated finds them.
 */
import {
  decideImage,
  type EventMetadata,
  evolveImage,
  type ImageCommand,
  type ImageDigest,
  type ImageEvent,
  type ImageId,
  type ImageState,
  ledgerSubject,
  noImage,
  type Principal,
  type WorkspaceState,
} from '@vw/domain';
import type { ImageRepository } from '@vw/images';
import type { Clock, Ids } from '@vw/runtime';
import { nameBasedId } from '@vw/runtime';
import type { Streams } from '../commands/streams.js';

export interface AddedImage {
  readonly imageId: ImageId;
  readonly name: string;
  readonly kind: 'kernel' | 'disk';
  readonly digest: string;
  readonly sizeBytes: number;
  readonly revision: number;
  readonly position: number;
}

/** An image's id follows from its name: one name, one stream. */
const imageIdOf = (name: string): ImageId => nameBasedId('image', name) as ImageId;

export class ImagePool {
  constructor(
    private readonly streams: Streams,
    private readonly images: ImageRepository,
    private readonly clock: Clock,
    private readonly ids: Ids,
  ) {}

  /** Adds a file's bytes under a name; the same bytes again change nothing. @throws ImageRepositoryUnavailable */
  async add(
    file: string,
    image: { readonly name: string; readonly kind: 'kernel' | 'disk'; readonly architecture: string },
    principal: Principal,
  ): Promise<AddedImage> {
    const { name, kind, architecture } = image;
    const { digest, sizeBytes } = await this.images.put(file, { kind, name });
    const imageId = imageIdOf(name);
    const data = { imageId, name, kind, digest: digest as ImageDigest, sizeBytes, architecture };
    const recorded = await this.record(imageId, { type: 'add', ...data }, principal);
    return { imageId, name, kind, digest, sizeBytes, ...recorded };
  }

  /** What a host found when it hashed the bytes that it was given. Beside the image that may be a hot image: the evidence names the digest at fault. */
  async reportCorruption(state: WorkspaceState, evidence: string): Promise<void> {
    const { image } = state;
    if (image === undefined || !evidence.includes(image.digest)) return;
    const principal: Principal = { subject: ledgerSubject, attributes: {}, method: 'ledger' };
    await this.record(imageIdOf(image.name), { type: 'report-corruption', digest: image.digest, evidence }, principal);
  }

  private record(
    imageId: ImageId,
    command: ImageCommand,
    principal: Principal,
  ): Promise<{ revision: number; position: number }> {
    const stream = `image-${imageId}`;
    return this.streams.settle(stream, async () => {
      let position = 0;
      const state = await this.streams.fold<ImageState, ImageEvent>(stream, noImage, (before, recorded) => {
        position = recorded.position;
        return evolveImage(before, recorded);
      });
      const decision = decideImage(state, command);
      if (decision.kind !== 'accepted') return { revision: state.revision, position };
      const id = this.ids.next();
      const recordedAt = this.clock.now();
      const metadata: EventMetadata = { schemaVersion: 1, principal, recordedAt, correlationId: id, causationId: id };
      return this.streams.append(stream, state.revision, decision.events, metadata, [id]);
    });
  }
}
