/**
 * Waiting for an operation's end. The ledger goes on with it whatever happens to whoever waits, so every way out of here says
 * what was last known and claims nothing more; a ledger that is away for a moment is asked again.
 */
import type { CommandAnswer, CommandVerb, OperationView } from '@vw/contracts';
import { exitCodes, Failure, OperationFailure, TimedOutFailure } from './failures.js';
import { accomplished, hintNext, tellNotices } from './output/answer.js';
import { elapsed, printable } from './output/text.js';
import type { Session } from './session.js';
import { sleep, stopwatch } from './time.js';

const BRISK_MS = 150;
const CALM_MS = 1_000;
/** Most operations end within it; the rest need no hurry. */
const BRISK_FOR_MS = 10_000;

/** The commands whose outcome comes from a host. */
export type IntentVerb = Extract<
  CommandVerb,
  'deploy' | 'start' | 'pause' | 'unpause' | 'serialise' | 'stop' | 'undeploy'
>;

/** What the host is doing while the intent is open. */
const steps: { readonly [kind in IntentVerb]: string } = {
  deploy: 'staging',
  start: 'booting',
  pause: 'pausing',
  unpause: 'continuing',
  serialise: 'writing the hot image',
  stop: 'shutting down',
  undeploy: 'staging back',
};

/**
 * Prints the command's answer with its `operation` when that has ended, or when the limit has passed.
 * @throws OperationFailure | TimedOutFailure after printing.
 */
export async function awaitOutcome(
  session: Session,
  verb: IntentVerb,
  label: string,
  answer: CommandAnswer & { requestId: string },
  limitSeconds: number,
): Promise<void> {
  const spent = stopwatch();
  const operation = await lastKnown(session, verb, label, answer, limitSeconds * 1_000);
  const failure = failureOf(operation, verb, label, limitSeconds);
  const { output } = session;
  if (!failure || output.json) {
    await output.answer({ ...answer, operation }, () =>
      printable(`${label} ${accomplished[verb]} on ${operation.hostId} in ${elapsed(spent())}`),
    );
  }
  await tellNotices(session, answer);
  if (failure) throw failure;
  await hintNext(session, verb, label);
}

/** Asks until the operation has ended or the time is up. */
async function lastKnown(
  { client, output, io }: Session,
  verb: IntentVerb,
  label: string,
  answer: CommandAnswer & { requestId: string },
  limitMs: number,
): Promise<OperationView> {
  const spent = stopwatch();
  const progress = output.progress();
  const path = `v1/operations/${encodeURIComponent(answer.workspaceId)}/${encodeURIComponent(answer.requestId)}`;
  try {
    for (;;) {
      const found = await client.view<OperationView>('status', path, { after: answer.position }).catch(orPassing);
      if (!(found instanceof Failure)) {
        if (found.status !== 'open') return found;
        await progress.show(`${verb} ${label} on ${found.hostId}: ${stepOf(found, verb)} …`, elapsed(spent()));
        if (spent() >= limitMs) return found;
      } else {
        await progress.show(`${verb} ${label}: the ledger is away, asking again …`, elapsed(spent()));
        if (spent() >= limitMs) throw found;
      }
      await sleep(
        Math.min(spent() < BRISK_FOR_MS ? BRISK_MS : CALM_MS, Math.max(1, limitMs - spent())),
        io.interrupted,
      );
    }
  } finally {
    await progress.clear();
  }
}

function orPassing(failure: unknown): Failure {
  const passing: readonly number[] = [exitCodes.unreachable, exitCodes.timedOut];
  if (failure instanceof Failure && passing.includes(failure.exitCode)) return failure;
  throw failure;
}

function stepOf(operation: OperationView, verb: IntentVerb): string {
  return operation.cancelRequested ? `${steps[verb]}, asked to cancel` : steps[verb];
}

function failureOf(
  operation: OperationView,
  verb: IntentVerb,
  label: string,
  limitSeconds: number,
): Failure | undefined {
  switch (operation.status) {
    case 'done':
      return undefined;
    case 'open':
      return new TimedOutFailure(
        `${verb} of ${label} is still open after ${limitSeconds} s, and goes on until ${operation.deadline}; vw ops ${label} shows it`,
      );
    case 'overridden':
      return new OperationFailure(
        operation,
        `${verb} of ${label}: an operator's override closed it, and no host said how it ended`,
      );
    case 'failed': {
      const { class: failureClass, reason } = operation.failure ?? { class: 'unknown', reason: 'no reason was given' };
      return new OperationFailure(operation, `${verb} of ${label} on ${operation.hostId}: ${failureClass}: ${reason}`);
    }
  }
}
