/** The ledger's HTTP interface as a test uses it: nothing is retried, nothing is hidden. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { CommandAnswer, EventView, OperationView, Page, Problem, SerialView, WorkspaceView } from '@vw/contracts';

export interface Said<T> {
  readonly status: number;
  readonly headers: Headers;
  readonly body: T;
}

export interface Asking {
  readonly as?: string;
  readonly commandId?: string;
  readonly accept?: string;
}

/** The ledger answered that its store is away. */
export class StoreAway extends Error {
  override readonly name = 'StoreAway';
  constructor(readonly problem: Problem) {
    super(problem.detail);
  }
}

export class Api {
  constructor(readonly url: string) {}

  async get<T>(path: string, { as, accept }: Asking = {}): Promise<Said<T>> {
    return said(await fetch(this.url + path, { headers: headersOf({ as, accept }) }));
  }

  async post<T = CommandAnswer & Problem>(
    path: string,
    body: object | string | Uint8Array = {},
    asking: Asking & { type?: string } = {},
  ): Promise<Said<T>> {
    const raw = typeof body === 'string' || body instanceof Uint8Array;
    const type = asking.type ?? (raw ? 'application/yaml' : 'application/json');
    const headers = { ...headersOf(asking), 'content-type': type };
    return said(
      await fetch(this.url + path, { method: 'POST', headers, body: raw ? Buffer.from(body) : JSON.stringify(body) }),
    );
  }

  /** Creates a workspace of the built-in guest, and waits until it is shown; answers its id. */
  async create(description: string = 'name: heartbeat\n', asking: Asking = {}): Promise<string> {
    const { status, body } = await this.post('/v1/workspaces', description, asking);
    if (status !== 201 && status !== 200) throw new Error(JSON.stringify(body));
    await this.show(body.workspaceId, body.position);
    return body.workspaceId;
  }

  command(id: string, verb: string, body: object = {}, asking: Asking = {}): Promise<Said<CommandAnswer & Problem>> {
    return this.post(`/v1/workspaces/${id}/${verb}`, body, asking);
  }

  /** Sends a command that must be taken, and waits until its outcome is shown. */
  async done(id: string, verb: string, body: object = {}, asking: Asking = {}): Promise<OperationView | undefined> {
    const sent = await this.command(id, verb, body, asking);
    if (sent.status >= 300) throw new Error(`${verb}: ${JSON.stringify(sent.body)}`);
    if (sent.body.requestId === undefined) {
      await this.show(id, sent.body.position);
      return undefined;
    }
    const operation = await this.ended(id, sent.body.requestId, sent.body.position);
    if (operation.status !== 'done') throw new Error(`${verb}: ${JSON.stringify(operation)}`);
    return operation;
  }

  async ended(id: string, requestId: string, after: number, withinMs = 60_000): Promise<OperationView> {
    return until(withinMs, `${requestId} of ${id} ended`, async () => {
      const { status, body } = await this.get<OperationView>(`/v1/operations/${id}/${requestId}?after=${after}`);
      // The views may be behind for a while (504), where their store is away.
      return status === 504 || body.status === 'open' ? undefined : body;
    });
  }

  async show(id: string, after = 0): Promise<WorkspaceView> {
    return (await this.get<WorkspaceView>(`/v1/workspaces/${id}?after=${after}`)).body;
  }

  async history(id: string, after = 0): Promise<EventView[]> {
    const events: EventView[] = [];
    for (let cursor: string | undefined = ''; cursor !== undefined;) {
      const from: string = cursor === '' ? '' : `&cursor=${cursor}`;
      const { status, body } = await this.get<Page<EventView>>(
        `/v1/workspaces/${id}/history?limit=1000&after=${after}${from}`,
      );
      if (status === 503) throw new StoreAway(body as unknown as Problem);
      if (status !== 200) throw new Error(`the history of ${id} was answered with ${status}: ${JSON.stringify(body)}`);
      events.push(...body.items);
      cursor = body.nextCursor;
    }
    return events;
  }

  async console(id: string): Promise<string> {
    let text = '';
    for (let from = 0; ;) {
      const { status, body } = await this.get<SerialView>(`/v1/workspaces/${id}/serial?from=${from}`);
      if (status !== 200 || body.next === from) return text;
      text += body.text;
      from = body.next;
    }
  }

  /** The guest's heartbeats so far. */
  async beats(id: string): Promise<number[]> {
    return [...(await this.console(id)).matchAll(/^HB (\d+)\r?\n/gm)].map(([, n]) => Number(n));
  }

  async beatBeyond(id: string, beyond: number): Promise<number> {
    return until(30_000, `a heartbeat beyond ${beyond}`, async () => {
      const last = (await this.beats(id)).at(-1) ?? 0;
      return last > beyond ? last : undefined;
    });
  }
}

/** Asks again until there is an answer; throws, naming what was awaited, when there is none in time. */
export async function until<T>(withinMs: number, what: string, ask: () => Promise<T | undefined>): Promise<T> {
  for (const end = Date.now() + withinMs; ;) {
    const answer = await ask();
    if (answer !== undefined) return answer;
    if (Date.now() > end) throw new Error(`not within ${withinMs} ms: ${what}`);
    await sleep(15);
  }
}

function headersOf({ as, commandId, accept }: Asking): Record<string, string> {
  return {
    'vw-subject': as ?? 'CN=tester',
    ...(commandId === undefined ? {} : { 'idempotency-key': commandId }),
    ...(accept === undefined ? {} : { accept }),
  };
}

async function said<T>(response: Response): Promise<Said<T>> {
  const text = await response.text();
  const json = response.headers.get('content-type')?.includes('json') ?? false;
  return { status: response.status, headers: response.headers, body: (json ? JSON.parse(text) : text) as T };
}
