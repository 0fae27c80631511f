/** What every event carries besides its data: who, by which command, because of what, and when. */
import type { CommandId, HostId, Instant } from './ids.js';

/** Who acts, as the outside world named it. */
export interface Principal {
  /**
   * The caller's distinguished name (RFC 4514) or other subject.
   * @minLength 1
   * @maxLength 512
   */
  subject: string;
  attributes: { [name: string]: string[] };
  /** How the name was established: the ledger itself, or merely asserted by a caller on the loopback interface. */
  method: 'ledger' | 'asserted-on-loopback' | 'host';
}

export interface EventMetadata {
  /**
   * The version of the event's shape.
   * @asType integer
   * @minimum 1
   */
  schemaVersion: number;
  principal: Principal;
  /** When the ledger recorded it. */
  recordedAt: Instant;
  /** The command that caused it; absent when host evidence did. */
  commandId?: CommandId;
  /**
   * SHA-256 of the command's canonical body: the same id with another body is refused.
   * @pattern ^[0-9a-f]{64}$
   */
  commandDigest?: string;
  /** What began it all: the first command's id. */
  correlationId: string;
  /** What caused it directly: a command's or an intent's id. */
  causationId: string;
  /** The host evidence behind an outcome. */
  evidence?: {
    hostId: HostId;
    bootId: string;
    /**
     * @asType integer
     * @minimum 0
     */
    seq: number;
    /** When the host observed it, by the host's clock. */
    observedAt: Instant;
  };
}

/** An event as a fold sees it. */
export interface Recorded<E> {
  readonly event: E;
  readonly metadata: EventMetadata;
  /** Revision in its stream, from 0. */
  readonly revision: number;
  /** Position in the whole log. */
  readonly position: number;
}
