/** Answers for a piece of a guest's console, as the hypervisor keeps it in a file that grows. */
import { open } from 'node:fs/promises';
import { type ConsoleReply, type ConsoleRequest, type Id, subjects } from '@vw/contracts';
import type { Hypervisor } from '@vw/hypervisors';
import type { Bus, Payload } from '@vw/messaging';
import { type Logger, schemaGuard } from '@vw/runtime';
import type { Counters } from '../counters.js';
import type { Workspaces } from '../workspaces/index.js';

const LARGEST_PIECE_BYTES = 64 * 1024;
const guard = schemaGuard<ConsoleRequest>('messages/console-request');

export class ConsoleDesk {
  constructor(
    private readonly hostId: Id,
    private readonly bus: Bus,
    private readonly hypervisor: Hypervisor,
    private readonly workspaces: Workspaces,
    private readonly logger: Logger,
    private readonly counters: Counters,
  ) {}

  /** Answers until the signal aborts. */
  open(signal: AbortSignal): void {
    this.bus.respond(
      subjects.console(this.hostId),
      `agent-${this.hostId}`,
      ({ payload }) => this.#answer(payload),
      signal,
    );
  }

  async #answer(payload: Payload): Promise<Payload> {
    const judged = guard(payload);
    if (judged.ok) return { ...(await this.#piece(judged.value)) };
    this.logger.warn({ faults: judged.faults }, 'a question for a console that no ledger would ask was not answered');
    this.counters.malformed += 1;
    return { bytes: '', next: 0, present: false } satisfies ConsoleReply;
  }

  async #piece({ workspaceId, from }: ConsoleRequest): Promise<ConsoleReply> {
    const { kind } = await this.workspaces.find(workspaceId);
    if (kind === 'nothing') return { bytes: '', next: from, present: false };
    const bytes = await readPiece(this.hypervisor.serialFile(this.workspaces.folder(workspaceId)), from);
    return { bytes: bytes.toString('base64'), next: from + bytes.length, present: true };
  }
}

/** Nothing, where the guest has not said so much yet, or nothing at all. */
async function readPiece(file: string, from: number): Promise<Buffer> {
  const handle = await open(file, 'r').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined;
    throw error;
  });
  if (handle === undefined) return Buffer.alloc(0);
  try {
    const piece = Buffer.alloc(LARGEST_PIECE_BYTES);
    const { bytesRead } = await handle.read(piece, 0, piece.length, from);
    return piece.subarray(0, bytesRead);
  } finally {
    await handle.close();
  }
}
