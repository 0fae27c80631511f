/** A description that came over HTTP, in whichever of its forms. */
import type { WorkspaceDescription } from '@vw/domain';
import { parseDescription } from '@vw/descriptions';
import { problem } from './problem.js';

/** @throws ProblemException 422 naming each fault and its place */
export function described(
  body: unknown,
  contentType: string | undefined,
  filename?: string,
): { description: WorkspaceDescription; notices?: string[] } {
  const parsed = parseDescription(Buffer.isBuffer(body) ? body : Buffer.alloc(0), { contentType, filename });
  if (parsed.ok) {
    return { description: parsed.description, notices: parsed.notices.length > 0 ? [...parsed.notices] : undefined };
  }
  const [first] = parsed.problems;
  const problems = parsed.problems.map((each) => ({ ...each, where: { ...each.where } }));
  throw problem(422, 'INVALID_DESCRIPTION', first?.message ?? 'The description is not valid', { problems });
}
