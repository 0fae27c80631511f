/** Errors over HTTP: RFC 9457 problems with the reason code and both sides of the conflict. */
import type { Problem } from '@vw/contracts';
import type { Refusal, RefusalReason } from '@vw/domain';

export class ProblemException extends Error {
  override readonly name = 'ProblemException';
  constructor(
    readonly problem: Problem,
    options?: ErrorOptions,
  ) {
    super(problem.detail, options);
  }
}

const statusOf: Partial<Record<RefusalReason, number>> = { NOT_FOUND: 404, INVALID: 422 };

const titles: Record<RefusalReason, string> = {
  NOT_FOUND: 'There is no such thing',
  ALREADY_EXISTS: 'The id is taken',
  COMMAND_ID_REUSED: 'The command id was used for another command',
  RETIRED: 'The workspace is retired',
  EXPIRED: 'The workspace’s lifetime is over; set-lifetime revives it',
  LOCK_HELD: 'Somebody else holds the lock',
  LOCK_FREE: 'Nobody holds the lock',
  INTENT_OPEN: 'Something else is under way; its outcome, or a cancel, comes first',
  NO_INTENT: 'Nothing is under way that could be cancelled',
  NOT_DEPLOYED: 'The workspace is not deployed',
  DEPLOYED: 'The workspace is deployed',
  NOT_RUNNING: 'The guest is not running',
  RUNNING: 'The guest is running',
  NOT_PAUSED: 'The guest is not paused',
  PAUSED_IN_MEMORY: 'The guest is frozen in memory; unpause continues it, stop ends it',
  NO_HOT_IMAGE: 'There is no hot image',
  HAS_HOT_IMAGE: 'Its hot image belongs to its present image; starting it from the image gives the hot image up',
  POWER_UNKNOWN: 'Nobody knows whether the guest runs; stop, cancel, steal-lock and override are still possible',
  CORRUPTED: 'The workspace is corrupted; repair or retire it',
  NO_IMAGE: 'The repository has no such image',
  NO_HOST: 'No host can take the workspace',
  HOST_UNSUITABLE: 'The host cannot take the workspace',
  INVALID: 'The request makes no sense',
};

export function refusalProblem({ reason, asked, found }: Refusal): ProblemException {
  // Where nothing was found, what was asked for says it: there is no such thing (host: h9).
  const telling = Object.keys(found).length > 0 ? found : asked;
  const facts = Object.entries(telling).map(([name, value]) => `${name}: ${value}`);
  return new ProblemException({
    type: `urn:workspace-ledger:refusal:${reason}`,
    title: titles[reason],
    status: statusOf[reason] ?? 409,
    detail: [titles[reason], ...(facts.length > 0 ? [`(${facts.join(', ')})`] : [])].join(' '),
    reason,
    asked,
    found,
  });
}

/** A problem that is not the domain's: the request itself, or the service. */
export function problem(
  status: number,
  reason: string,
  detail: string,
  more: Partial<Problem> = {},
  options?: ErrorOptions,
): ProblemException {
  const type = `urn:workspace-ledger:problem:${reason}`;
  return new ProblemException({ type, title: detail, status, detail, reason, ...more }, options);
}

export function notFound(asked: Record<string, string>): ProblemException {
  const [[what, id] = ['thing', '']] = Object.entries(asked);
  return problem(404, 'NOT_FOUND', `There is no ${what} ${id}`, { asked });
}
