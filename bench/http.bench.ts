/**
 * What one command costs a client of the running service, beside the one durable commit that it cannot do without. It is told
 * twice, of one run in one folder: with a command and a raw commit in turn, one by one, as somebody finds them who asks now and then; and with many of
 * each back to back, where a commit finds the disk and the processor warm, and a command the views still at work on the one before it. The second
 * is the harder one for the service.
 *
 * Not measured: many clients at once (the event store's figure is about those), descriptions, images, and TLS.
 */
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { Agent, type IncomingMessage, request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { systemClock } from '@vw/runtime';
import Database from 'better-sqlite3';
import { startService } from '../test/support/service-process.js';
import { openRaw, type RawCommits } from './raw-commits.js';
import type { RawResult } from './raw-commits.worker.js';
import { median } from './median.js';
import type { BenchRow } from './row.js';

const WORKSPACES = 100;
/** Every workspace is asked once in a round. The first rounds warm both sides and are not counted. */
const WARMING_ROUNDS = 10;
const ROUNDS = 20;

export async function bench(): Promise<BenchRow[]> {
  const data = await mkdtemp(join(tmpdir(), 'http-bench-'));
  const service = await startService(data, { VW_HYPERVISOR: 'simulated' });
  const client = new KeptAlive(service.api.url);
  let raw: RawCommits | undefined;
  try {
    const ids: string[] = [];
    while (ids.length < WORKSPACES) {
      const id = await service.api.create(`name: w${ids.length}\n`);
      await client.command(id, 'check-out');
      ids.push(id);
    }
    for (let round = 0; round < WARMING_ROUNDS; round += 1) for (const id of ids) await client.command(id, 'renew');
    const event = storedSize(join(data, 'log.sqlite'), 'LeaseRenewed');
    raw = await openRaw({ file: join(data, 'raw.sqlite'), groupSize: 1, ...event });

    const inTurn: Round[] = [];
    const backToBack: Round[] = [];
    for (let round = -WARMING_ROUNDS; round < ROUNDS; round += 1) {
      const turns: Samples = { commandMs: [], commits: [] };
      for (const id of ids) {
        turns.commandMs.push(await client.command(id, 'renew'));
        turns.commits.push(await raw.commit(1));
      }
      const row: Samples = { commandMs: [], commits: [] };
      for (const id of ids) row.commandMs.push(await client.command(id, 'renew'));
      while (row.commits.length < ids.length) row.commits.push(await raw.commit(1));
      if (round < 0) continue;
      inTurn.push(roundOf(turns));
      backToBack.push(roundOf(row));
    }
    return [
      ...rowsOf('in turn', inTurn, event.dataBytes + event.metadataBytes),
      ...rowsOf('back to back', backToBack, event.dataBytes + event.metadataBytes),
    ];
  } finally {
    client.close();
    await raw?.close();
    await service.stop();
    await rm(data, { recursive: true, force: true });
  }
}

interface Samples {
  readonly commandMs: number[];
  readonly commits: RawResult[];
}

/** Medians of one round, in milliseconds. */
interface Round {
  readonly commandMs: number;
  readonly commitMs: number;
  readonly fsyncMs: number;
}

function roundOf({ commandMs, commits }: Samples): Round {
  return {
    commandMs: median(commandMs),
    commitMs: median(commits.map(({ seconds }) => seconds * 1000)),
    fsyncMs: median(commits.map(({ fsyncMs }) => fsyncMs)),
  };
}

function rowsOf(how: string, rounds: readonly Round[], eventBytes: number): BenchRow[] {
  const commitMs = median(rounds.map((round) => round.commitMs));
  return [
    {
      figure: `HTTP command against one durable commit, ${how}`,
      value: median(rounds.map((round) => round.commandMs / round.commitMs)),
      aim: '<= 3',
      unit: 'ratio',
      detail:
        `renew, over ${WORKSPACES} workspaces on a kept connection ÷ raw SQLite commit of one event of ` +
        `${eventBytes} bytes, WAL, synchronous=FULL; p50 ÷ p50, median of ${ROUNDS} rounds of ${WORKSPACES}`,
    },
    {
      figure: `HTTP command, ${how}, p50`,
      value: median(rounds.map((round) => round.commandMs)),
      aim: '',
      unit: 'ms',
      detail: `from the request to the durable answer; the raw commit took ${commitMs.toFixed(3)} ms in the same run`,
    },
    {
      figure: `HTTP command, ${how}: fsync control`,
      value: median(rounds.map((round) => round.fsyncMs)),
      aim: '',
      unit: 'ms',
      detail: `one fdatasync after a plain write of ${eventBytes} bytes, same folder, same run`,
    },
  ];
}

/** One client with one connection, as a program that sends many commands has. */
class KeptAlive {
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 1 });

  constructor(private readonly url: string) {}

  /** Milliseconds from the request to the last byte of the answer. */
  async command(workspaceId: string, verb: string): Promise<number> {
    const begun = systemClock.monotonic();
    const asked = request(`${this.url}/v1/workspaces/${workspaceId}/${verb}`, {
      method: 'POST',
      agent: this.#agent,
      headers: { 'content-type': 'application/json', 'vw-subject': 'CN=bench' },
    });
    asked.end('{}');
    const [answer] = (await once(asked, 'response')) as [IncomingMessage];
    let text = '';
    for await (const chunk of answer.setEncoding('utf8')) text += chunk as string;
    const tookMs = systemClock.monotonic() - begun;
    if (answer.statusCode !== 202) throw new Error(`${verb}: ${answer.statusCode} ${text}`);
    return tookMs;
  }

  close(): void {
    this.#agent.destroy();
  }
}

/** What the log keeps of events of the type, in the mean; read beside the running service. */
function storedSize(log: string, type: string): { readonly dataBytes: number; readonly metadataBytes: number } {
  const db = new Database(log, { readonly: true });
  try {
    const mean = (column: string) => `CAST(round(avg(length(${column}))) AS INTEGER) AS ${column}Bytes`;
    return db.prepare(`SELECT ${mean('data')}, ${mean('metadata')} FROM events WHERE type = ?`).get(type) as {
      dataBytes: number;
      metadataBytes: number;
    };
  } finally {
    db.close();
  }
}
