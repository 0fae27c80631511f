export { openApiDocument } from './openapi/document.js';
export { createHttpServer } from './server.js';
