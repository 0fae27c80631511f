/** The process around a run of the CLI, so that a test can be one. */
import { once } from 'node:events';
import { userInfo } from 'node:os';
import { isatty } from 'node:tty';

/** The reader of a pipe went away (`vw ls | head`): no fault, and nobody is left to tell. */
export class ReaderGone extends Error {}

const USUAL_COLUMNS = 80;

export interface Sink {
  readonly isTty: boolean;
  /** Characters in a line of the terminal; infinite where there is none. */
  readonly columns: number;
  /** Resolves when the text has left. @throws ReaderGone */
  write(text: string): Promise<void>;
}

export interface Io {
  readonly stdin: AsyncIterable<Uint8Array>;
  readonly stdout: Sink;
  readonly stderr: Sink;
  readonly env: { readonly [name: string]: string | undefined };
  /** The name that the operating system knows the caller by. */
  readonly user: string;
  /** Ctrl-C. */
  readonly interrupted: AbortSignal;
}

export function processIo(): Io {
  const interruption = new AbortController();
  // Only the first: a second Ctrl-C finds Node's own way to end.
  process.once('SIGINT', () => interruption.abort());
  return {
    stdin: process.stdin,
    stdout: sink(process.stdout),
    stderr: sink(process.stderr),
    env: process.env,
    user: userName(),
    interrupted: interruption.signal,
  };
}

/** Resolves when Ctrl-C is pressed. */
export async function interruption(io: Io): Promise<void> {
  if (!io.interrupted.aborted) await once(io.interrupted, 'abort');
}

function sink(stream: NodeJS.WriteStream & { readonly fd: number }): Sink {
  // The callback of the write tells; without a listener the same error would end the process with a stack.
  stream.on('error', () => undefined);
  return {
    isTty: isatty(stream.fd),
    get columns() {
      if (!isatty(stream.fd)) return Number.POSITIVE_INFINITY;
      // A terminal that does not know its width says 0.
      return stream.columns || USUAL_COLUMNS;
    },
    async write(text) {
      await new Promise<void>((resolve, reject) => {
        stream.write(text, (error) => (error ? reject(new ReaderGone(error.message, { cause: error })) : resolve()));
      });
    },
  };
}

function userName(): string {
  try {
    return userInfo().username;
  } catch {
    // A container may run under a number that no account has.
    return process.env['USER'] ?? 'unknown';
  }
}
