/** The entry of the process. What can be tested is in `run`. */
import { processIo } from './io.js';
import { run } from './program.js';

// Everything written has left by now; what is still open (a stream, standard input) is of no more use.
process.exit(await run(process.argv.slice(2), processIo()));
