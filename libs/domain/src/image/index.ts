export type * from './image.js';
export { decideImage, evolveImage, noImage } from './image.js';
