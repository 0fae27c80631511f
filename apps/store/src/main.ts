/** The entry of the process. What can be tested is in `run`. */
import { processIo } from './io.js';
import { run } from './program.js';

const [, , ...argv] = process.argv;
// Everything written has left by now; what is still open (standard input) is of no more use.
process.exit(await run(argv[0] === 'store' ? argv.slice(1) : argv, processIo()));
