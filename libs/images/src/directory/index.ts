export { openDirectoryRepository } from './repository.js';
