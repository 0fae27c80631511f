/** Prints the OpenAPI document, so that the committed copy can be written and checked. */
import { loadHttp } from '../../ledger/src/index.js';

const { openApiDocument } = await loadHttp();

process.stdout.write(`${JSON.stringify(openApiDocument(), null, 2)}\n`);
