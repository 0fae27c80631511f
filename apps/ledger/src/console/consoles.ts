/** A guest's console output, asked of the host that has the guest. Nothing of it is recorded: it is the guest's, not the ledger's. */
import { type ConsoleReply, type ConsoleRequest, subjects } from '@vw/contracts';
import { type Bus, BusTimeout } from '@vw/messaging';
import { schemaGuard } from '@vw/runtime';

const guard = schemaGuard<ConsoleReply>('messages/console-reply');

export type ConsolePiece =
  | { readonly kind: 'piece'; readonly bytes: Buffer; readonly next: number }
  | { readonly kind: 'absent' }
  | { readonly kind: 'silent'; readonly waitedMs: number };

export class Consoles {
  constructor(
    private readonly bus: Bus,
    private readonly timeoutMs: number,
  ) {}

  async read(hostId: string, workspaceId: string, from: number): Promise<ConsolePiece> {
    const request: ConsoleRequest = { workspaceId, from };
    try {
      const judged = guard(await this.bus.request(subjects.console(hostId), { ...request }, this.timeoutMs));
      if (!judged.ok || !judged.value.present) return { kind: 'absent' };
      return { kind: 'piece', bytes: Buffer.from(judged.value.bytes, 'base64'), next: judged.value.next };
    } catch (error) {
      if (error instanceof BusTimeout) return { kind: 'silent', waitedMs: this.timeoutMs };
      throw error;
    }
  }
}
