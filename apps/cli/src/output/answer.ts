/** What a command came to, in words, and what people commonly do next. */
import type { CommandAnswer, CommandVerb } from '@vw/contracts';
import type { Session } from '../session.js';
import { printable } from './text.js';

type Verb = CommandVerb | 'create';

/** How a workspace is after the command. For an intent: after its outcome. */
export const accomplished: { readonly [verb in Verb]: string } = {
  create: 'created',
  clone: 'cloned',
  refine: 'refined',
  'check-out': 'checked out',
  'check-in': 'checked in',
  deploy: 'deployed',
  start: 'started',
  pause: 'paused',
  unpause: 'unpaused',
  serialise: 'serialised',
  stop: 'stopped',
  undeploy: 'undeployed',
  cancel: 'asked to cancel',
  renew: 'renewed',
  'set-lifetime': 'given its lifetime',
  repair: 'repaired',
  retire: 'retired',
  'steal-lock': 'taken over',
  override: 'overridden',
};

const nextCommand: { readonly [verb in Verb]?: string } = {
  create: 'deploy',
  clone: 'deploy',
  'check-out': 'deploy',
  deploy: 'start',
  start: 'serial',
  pause: 'serialise',
  unpause: 'serial',
  serialise: 'undeploy',
  stop: 'undeploy',
  repair: 'deploy',
  'steal-lock': 'show',
};

/** Prints the answer to a command; `label` is what the caller named the workspace. */
export async function tellAnswer(session: Session, verb: Verb, label: string, answer: CommandAnswer): Promise<void> {
  await session.output.answer(answer, () => printable(sentence(verb, label, answer)));
  await tellNotices(session, answer);
  if (answer.requestId === undefined) await hintNext(session, verb, label);
  else await session.output.hint(`vw ops ${label} (or give --wait)`);
}

export async function tellNotices({ output }: Session, answer: CommandAnswer): Promise<void> {
  for (const notice of answer.notices ?? []) await output.note(`note: ${notice}`);
}

export async function hintNext({ output }: Session, verb: Verb, label: string): Promise<void> {
  const next = nextCommand[verb];
  if (next) await output.hint(`vw ${next} ${label}`);
}

function sentence(verb: Verb, label: string, answer: CommandAnswer): string {
  switch (answer.outcome) {
    case 'already-done':
      return `already done: ${verb} changes nothing about ${label}`;
    case 'repeated':
      return `repeated: command ${answer.commandId} had been taken, and ${label} stays at revision ${answer.revision}`;
    case 'accepted':
      return answer.requestId === undefined
        ? `${label} ${accomplished[verb]} (revision ${answer.revision})`
        : `${verb} of ${label} accepted (request ${answer.requestId})`;
  }
}
