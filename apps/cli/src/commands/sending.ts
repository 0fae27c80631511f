/** Sending one command about one workspace: what they all have in common. */
import type { CommandVerb } from '@vw/contracts';
import { tellAnswer } from '../output/answer.js';
import { resolveWorkspace } from '../resolve.js';
import type { Session } from '../session.js';
import { awaitOutcome, type IntentVerb } from '../wait.js';

/** Sends a command that is done when it is recorded. */
export async function send(session: Session, verb: CommandVerb, typed: string, body: object): Promise<void> {
  const workspaceId = await resolveWorkspace(session.client, typed);
  const answer = await session.client.command(workspaceId, verb, body, session.commandId);
  await tellAnswer(session, verb, typed, answer);
}

/** Sends a command that a host has to carry out; with a limit, waits for the outcome. */
export async function sendIntent(
  session: Session,
  verb: IntentVerb,
  typed: string,
  body: object,
  waitSeconds: number | undefined,
): Promise<void> {
  const workspaceId = await resolveWorkspace(session.client, typed);
  const answer = await session.client.command(workspaceId, verb, body, session.commandId);
  const { requestId } = answer;
  if (waitSeconds === undefined || requestId === undefined) await tellAnswer(session, verb, typed, answer);
  else await awaitOutcome(session, verb, typed, { ...answer, requestId }, waitSeconds);
}
