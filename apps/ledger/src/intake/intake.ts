/**
 * Turns host evidence into outcomes, exactly once (PROTOCOL.md, "From intent to outcome", 5 and 6).
 *
 *  1. Evidence is acknowledged after what it says is durable, or is known to change nothing; never before.
 *  2. Late, repeated, stale or contradicting evidence changes nothing, and is counted by reason.
 *  3. A host that speaks of a guest of an epoch that is not its own any more is told to let go of it.
 */
import { type Evidence, type HostMessage, subjects } from '@vw/contracts';
import {
  type EventMetadata,
  type HostId,
  interpretEvidence,
  type WorkspaceEvent,
  type WorkspaceEvidence,
  type WorkspaceId,
  type WorkspaceState,
} from '@vw/domain';
import type { Bus, Delivery, Verdict } from '@vw/messaging';
import { type Clock, type Ids, type Logger, schemaGuard } from '@vw/runtime';
import type { Streams } from '../commands/streams.js';
import type { Witnesses } from './witnesses.js';

export type IntakeCount = 'recorded' | 'malformed' | 'stale' | 'late' | 'known-already' | 'contradicts-intent';

export interface IntakeListeners {
  /** For metrics. */
  count(what: IntakeCount): void;
  /** A host found the bytes of an image, or of a hot image, to be wrong; it may be told so more than once. */
  imageCorrupted(state: WorkspaceState, evidence: string): Promise<void>;
}

const retryAfterMs = 500;
const guard = schemaGuard<Evidence>('messages/evidence');
const ack: Verdict = { kind: 'ack' };

export class Intake {
  constructor(
    private readonly streams: Streams,
    private readonly bus: Bus,
    private readonly witnesses: Witnesses,
    private readonly listeners: IntakeListeners,
    private readonly clock: Clock,
    private readonly ids: Ids,
    private readonly logger: Logger,
  ) {}

  /** Runs until the signal aborts. */
  run(signal: AbortSignal): Promise<void> {
    return this.bus.consume('ledger-intake', subjects.anyEvidence, (delivery) => this.take(delivery), signal);
  }

  private async take(delivery: Delivery): Promise<Verdict> {
    const judged = guard(delivery.payload);
    const forged = judged.ok && delivery.subject !== subjects.evidence(judged.value.hostId);
    if (!judged.ok || forged) {
      const faults = judged.ok ? 'it came on another host’s subject' : judged.faults;
      this.logger.warn({ subject: delivery.subject, faults }, 'evidence that no agent would send was dropped');
      this.listeners.count('malformed');
      return ack;
    }
    const evidence = judged.value;
    try {
      await this.settle(evidence);
    } catch (error) {
      this.logger.error(
        { err: error, workspaceId: evidence.workspaceId, seq: evidence.seq },
        'evidence could not be recorded yet',
      );
      return { kind: 'retry', afterMs: retryAfterMs };
    }
    await this.acknowledge(evidence);
    return ack;
  }

  private async settle(evidence: Evidence): Promise<void> {
    const workspaceId = evidence.workspaceId as WorkspaceId;
    this.witnesses.hear(workspaceId);
    await this.streams.settle(`workspace-${workspaceId}`, async () => {
      const { state } = await this.streams.workspace(workspaceId);
      const meaning = interpretEvidence(state, evidence as unknown as WorkspaceEvidence);
      switch (meaning.kind) {
        case 'ignored':
          return this.listeners.count(meaning.because);
        case 'stale':
          this.listeners.count('stale');
          return speaksOfGuest(evidence) ? this.expel(evidence) : undefined;
        case 'events':
          await this.record(state, evidence, meaning.events);
          return this.listeners.count('recorded');
      }
    });
  }

  private async record(state: WorkspaceState, evidence: Evidence, events: readonly WorkspaceEvent[]): Promise<void> {
    const { hostId, bootId, seq, observedAt, workspaceId } = evidence;
    const causationId = evidence.requestId ?? `${bootId}-${seq}`;
    const metadata: EventMetadata = {
      schemaVersion: 1,
      principal: { subject: `CN=${hostId}`, attributes: {}, method: 'host' },
      recordedAt: this.clock.now(),
      correlationId: causationId,
      causationId,
      evidence: { hostId: hostId as HostId, bootId, seq, observedAt },
    };
    // Told first: once the outcome is recorded, the same evidence changes nothing any more.
    const corruption = events.find((event) => event.type === 'WorkspaceCorrupted');
    if (corruption?.data.attempted === 'deploy') await this.listeners.imageCorrupted(state, corruption.data.evidence);
    await this.streams.append(`workspace-${workspaceId}`, state.revision, events, metadata, [
      hostId,
      bootId,
      String(seq),
    ]);
  }

  private async expel(evidence: Evidence): Promise<void> {
    const { hostId, workspaceId, epoch } = evidence;
    const issuedAt = this.clock.now();
    const task = {
      taskId: this.ids.next(),
      workspaceId,
      hostId,
      epoch,
      issuedAt,
      deadline: issuedAt,
      work: { kind: 'expel' as const },
    };
    await this.bus.publish(subjects.task(hostId), { type: 'task', task } satisfies HostMessage);
  }

  private async acknowledge(evidence: Evidence): Promise<void> {
    const { hostId, bootId, seq } = evidence;
    try {
      await this.bus.publish(subjects.task(hostId), {
        type: 'acknowledged',
        hostId,
        bootId,
        seq,
      } satisfies HostMessage);
    } catch (error) {
      this.logger.warn(
        { err: error, hostId, seq },
        'evidence was recorded, its acknowledgement was not sent; it will come again',
      );
    }
  }
}

/** Whether a host that should have nothing of this epoch says that it has something. */
function speaksOfGuest({ observation }: Evidence): boolean {
  switch (observation.kind) {
    case 'stopped':
    case 'undeployed':
      return false;
    case 'failed':
    case 'observed':
      return observation.guest !== 'absent';
    default:
      return true;
  }
}
