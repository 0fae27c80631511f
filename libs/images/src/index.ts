export type { ImageKind, ImageManifest, ImageRepository } from './port.js';
export {
  IMAGE_KINDS,
  ImageCorrupted,
  ImageNotFound,
  ImageRefused,
  ImageRepositoryUnavailable,
  ImageTooLarge,
  LARGEST_IMAGE_BYTES,
} from './port.js';
export { openDirectoryRepository } from './directory/index.js';
export { digestOfFile, verifyFile } from './digest.js';
