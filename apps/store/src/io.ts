/** The process around a run, so that a test can be one. */
import { isatty } from 'node:tty';

/** The reader of a pipe went away (`vw store export | head`): no fault, and nobody is left to tell. */
export class ReaderGone extends Error {}

const USUAL_COLUMNS = 80;

export interface Sink {
  readonly isTty: boolean;
  /** Characters in a line of the terminal; infinite where there is none. */
  readonly columns: number;
  /** Resolves when the bytes have left. @throws ReaderGone */
  write(bytes: string | Uint8Array): Promise<void>;
}

export interface Io {
  readonly stdin: AsyncIterable<Uint8Array>;
  readonly stdout: Sink;
  readonly stderr: Sink;
  readonly env: { readonly [name: string]: string | undefined };
  /** Resolves when the process is asked to stop (SIGTERM, SIGINT), which from then on ends nothing by itself; a second time does. */
  stopAsked(): Promise<void>;
}

export function processIo(): Io {
  return {
    stdin: process.stdin,
    stdout: sink(process.stdout),
    stderr: sink(process.stderr),
    env: process.env,
    stopAsked: () =>
      new Promise((resolve) => {
        process.once('SIGTERM', resolve).once('SIGINT', resolve);
      }),
  };
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
    async write(bytes) {
      await new Promise<void>((resolve, reject) => {
        stream.write(bytes, (error) => (error ? reject(new ReaderGone(error.message, { cause: error })) : resolve()));
      });
    },
  };
}
