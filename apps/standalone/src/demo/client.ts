/** The demo's own small client: it speaks to the ledger over HTTP only, as anybody would. */
import type { CommandAnswer, EventView, OperationView, Page, Problem, SerialView, WorkspaceView } from '@vw/contracts';
import type { Timers } from '@vw/runtime';

export class DemoClient {
  constructor(
    private readonly url: string,
    private readonly timers: Timers,
  ) {}

  create(bytes: Uint8Array, contentType: string, filename: string): Promise<CommandAnswer> {
    return this.ask(`/v1/workspaces?filename=${encodeURIComponent(filename)}`, {
      method: 'POST',
      body: Buffer.from(bytes),
      headers: { 'content-type': contentType },
    });
  }

  /** Sends a command, and waits for its outcome where it opens an intent. @throws Error when it is refused or fails */
  async command(id: string, verb: string, body: object = {}): Promise<CommandAnswer> {
    const answer = await this.ask<CommandAnswer>(`/v1/workspaces/${id}/${verb}`, {
      method: 'POST',
      body: JSON.stringify(body),
      headers: { 'content-type': 'application/json' },
    });
    if (answer.requestId === undefined) return answer;
    let after = answer.position;
    for (;;) {
      const operation = await this.ask<OperationView>(`/v1/operations/${id}/${answer.requestId}?after=${after}`);
      after = 0;
      if (operation.status === 'done') return answer;
      if (operation.status !== 'open')
        throw new Error(`${verb} ended as ${operation.outcome}: ${operation.failure?.reason ?? ''}`);
      await this.timers.sleep(20);
    }
  }

  /** @param after a position that the answer must have seen */
  show(id: string, after: number): Promise<WorkspaceView> {
    return this.ask(`/v1/workspaces/${id}?after=${after}`);
  }

  history(id: string): Promise<Page<EventView>> {
    return this.ask(`/v1/workspaces/${id}/history?limit=1000`);
  }

  /** Everything the guest has printed since it was deployed. */
  async console(id: string): Promise<string> {
    let text = '';
    for (let from = 0; ;) {
      const piece = await this.ask<SerialView>(`/v1/workspaces/${id}/serial?from=${from}`);
      if (piece.next === from) return text;
      text += piece.text;
      from = piece.next;
    }
  }

  private async ask<T>(path: string, init: RequestInit = {}): Promise<T> {
    const headers = { 'vw-subject': 'CN=demo', ...init.headers };
    const response = await fetch(this.url + path, { ...init, headers });
    if (response.ok) return (await response.json()) as T;
    const problem = (await response.json()) as Problem;
    // Where there is one fault only, the detail has told it.
    const faults = (problem.problems ?? []).filter(({ message }) => !problem.detail.includes(message));
    throw new Error([`${problem.reason}: ${problem.detail}`, ...faults.map(({ message }) => message)].join('\n  '));
  }
}
