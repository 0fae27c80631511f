/** What went wrong, and why, in one sentence. */
export function sentence(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  if (error.cause === undefined) return error.message;
  const because = sentence(error.cause);
  return error.message.endsWith(because) ? error.message : `${error.message}: ${because}`;
}
