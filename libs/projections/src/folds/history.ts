/** The index of everything that happened: where each event lies in the log, and what people look for it by. The data stays in the log. */
import type { CommandId, Instant } from '@vw/domain';
import type { KnownEvent } from '../decode.js';

export interface HistoryRow {
  readonly position: number;
  readonly stream: string;
  readonly revision: number;
  readonly eventId: string;
  readonly type: string;
  readonly recordedAt: Instant;
  /** When the host saw it, for outcomes. */
  readonly observedAt: Instant | null;
  /** The acting principal's subject. */
  readonly actor: string;
  readonly commandId: CommandId | null;
}

export function historyRow({ position, stream, revision, eventId, event, metadata }: KnownEvent): HistoryRow {
  return {
    position,
    stream,
    revision,
    eventId,
    type: event.type,
    recordedAt: metadata.recordedAt,
    observedAt: metadata.evidence?.observedAt ?? null,
    actor: metadata.principal.subject,
    commandId: metadata.commandId ?? null,
  };
}
