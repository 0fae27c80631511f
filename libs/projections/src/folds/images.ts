/** The pool's images, each under its name. */
import type { ImageState, Instant } from '@vw/domain';

export interface ImageRow {
  readonly state: ImageState;
  /** When its last event was recorded. */
  readonly updatedAt: Instant;
}
