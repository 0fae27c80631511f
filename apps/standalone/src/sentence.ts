/** What went wrong, and why, in one sentence. */
export function sentence(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  if (error.cause === undefined || isOfGrpc(error.cause)) return error.message;
  const because = sentence(error.cause);
  return error.message.endsWith(because) ? error.message : `${error.message}: ${because}`;
}

/** Whose error it is the cause of has said it already, in words that tell what to do. */
function isOfGrpc(cause: unknown): boolean {
  return cause instanceof Error && 'details' in cause;
}
