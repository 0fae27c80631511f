/** A process for `run` to live in: what it writes is kept, and Ctrl-C is a function. */
import { type Io, ReaderGone, type Sink } from '../io.js';
import { run } from '../program.js';

export interface Terminal {
  readonly tty?: boolean;
  readonly columns?: number;
  readonly env?: Record<string, string>;
  readonly stdin?: string;
  readonly url?: string;
  /** Standard output's reader goes away after so many writes. */
  readonly readerGoneAfter?: number;
}

export interface Told {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

export interface Running {
  readonly ended: Promise<Told>;
  interrupt(): void;
  /** Resolves when standard output holds this. */
  shown(text: string): Promise<void>;
}

/** Runs `vw` with these arguments to its end. */
export async function vw(terminal: Terminal, ...argv: string[]): Promise<Told> {
  return await start(terminal, ...argv).ended;
}

export function start(terminal: Terminal, ...argv: string[]): Running {
  const interruption = new AbortController();
  const watchers = new Set<() => void>();
  let out = '';
  let err = '';
  let writes = 0;
  const sink = (take: (text: string) => void): Sink => ({
    isTty: terminal.tty ?? false,
    columns: terminal.tty ? (terminal.columns ?? 80) : Number.POSITIVE_INFINITY,
    write: async (text) => take(text),
  });
  const io: Io = {
    stdin: (async function* () {
      yield Buffer.from(terminal.stdin ?? '');
    })(),
    stdout: sink((text) => {
      if (writes++ >= (terminal.readerGoneAfter ?? Number.POSITIVE_INFINITY)) throw new ReaderGone('EPIPE');
      out += text;
      for (const look of watchers) look();
    }),
    stderr: sink((text) => (err += text)),
    env: { ...(terminal.url && { VW_URL: terminal.url }), ...terminal.env },
    user: 'ann',
    interrupted: interruption.signal,
  };
  return {
    ended: run(argv, io).then((code) => ({ code, out, err })),
    interrupt: () => interruption.abort(),
    shown: (text) =>
      new Promise((resolve) => {
        const look = () => {
          if (out.includes(text)) resolve();
        };
        watchers.add(look);
        look();
      }),
  };
}
