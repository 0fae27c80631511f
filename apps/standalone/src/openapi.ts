/** Prints the OpenAPI document, so that the committed copy can be written and checked. */
import { openApiDocument } from '../../ledger/src/index.js';

process.stdout.write(`${JSON.stringify(openApiDocument(), null, 2)}\n`);
