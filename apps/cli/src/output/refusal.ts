/**
 * A refusal as one sentence: the reason code, which programs know, then both sides of the conflict and what resolves it.
 * A sentence is used only when the ledger sent every fact that it names; otherwise the ledger's own detail stands.
 */
import type { Problem } from '@vw/contracts';
import { instant, printable } from './text.js';

type Facts = Record<string, unknown>;

const sentences: { readonly [reason: string]: string } = {
  LOCK_HELD: '{holder} holds it at epoch {epoch} until {leaseUntil}',
  LOCK_FREE: 'nobody holds its lock, and this needs a holder: check it out first',
  INTENT_OPEN: '{intent} is under way on {hostId} until {deadline}: wait for its outcome, or cancel it',
  NO_INTENT: 'nothing is under way that could be cancelled',
  NOT_DEPLOYED: 'its placement is {placement}, and it must be staged on a host for this: deploy it first',
  DEPLOYED: 'it is on host {hostId}, and must be on none for this: undeploy it first',
  NOT_RUNNING: 'its guest is {power}, and must be running for this',
  RUNNING: 'its guest runs, and must not for this: pause or stop it first',
  NOT_PAUSED: 'its guest is {power}, and must be paused for this',
  PAUSED_IN_MEMORY: 'its guest is frozen in memory: unpause continues it, stop ends it',
  NO_HOT_IMAGE: 'it has no hot image: serialise makes one of a paused guest',
  HAS_HOT_IMAGE:
    'its hot image belongs to its present image: start it from the image first, which gives the hot image up',
  POWER_UNKNOWN: 'nobody knows whether its guest runs ({lastKnown} at {since}): stop, cancel, steal-lock or override',
  CORRUPTED: 'it is corrupted, as {attempted} showed ({evidence}): repair or retire it',
  RETIRED: 'it is retired, and nothing happens to it any more',
  EXPIRED: 'its lifetime ended at {expiresAt}: set-lifetime revives it',
  COMMAND_ID_REUSED: 'command id {commandId} was used before, for something else',
};

const instants = new Set(['leaseUntil', 'deadline', 'since', 'expiresAt']);

/** The sentence, and below it the other faults of refused input; each fault's message says where it is. */
export function explain({ reason, detail, asked, found, problems = [] }: Problem): string {
  const sentence = fill(sentences[reason], { ...asked, ...found }) ?? detail;
  const messages = problems.map(({ message }) => message).filter((message) => !sentence.includes(message));
  const faults = problems.length > 1 ? messages : [];
  return [`${reason}: ${sentence}`, ...faults].map(printable).join('\n  ');
}

/** The template with its facts put in; nothing when one is missing. */
function fill(template: string | undefined, facts: Facts): string | undefined {
  const names = template?.matchAll(/\{(\w+)\}/g) ?? [];
  if ([...names].some(([, name = '']) => (facts[name] ?? null) === null)) return undefined;
  return template?.replace(/\{(\w+)\}/g, (_, name: string) =>
    instants.has(name) ? instant(facts[name]) : text(facts[name]),
  );
}

function text(value: unknown): string {
  return typeof value === 'string' ? value : (JSON.stringify(value) ?? '');
}
