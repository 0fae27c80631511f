/** The entry of the process. What can be tested is in `run`. */
import { logVerbosity, setLogVerbosity } from '@grpc/grpc-js';
import { processIo } from './io.js';
import { run } from './program.js';

// What fails is told once, by whoever it fails; gRPC would write it to standard error as well.
setLogVerbosity(logVerbosity.NONE);

const [, , ...argv] = process.argv;
// Everything written has left by now; what is still open (standard input) is of no more use.
process.exit(await run(argv[0] === 'store' ? argv.slice(1) : argv, processIo()));
