/** The facade speaks EventStoreDB's protocol; and so does the server that VW_TEST_KURRENTDB names, by the same tests. */
import { startFacade } from './facade-process.js';
import { eventStoreDbProtocol } from './suite.js';

eventStoreDbProtocol('vw store serve', () => startFacade());

const named = process.env['VW_TEST_KURRENTDB'];
if (named !== undefined)
  eventStoreDbProtocol(named, () => Promise.resolve({ connectionString: named, stop: () => Promise.resolve() }));
