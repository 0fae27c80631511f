/**
 * Which folds made a file of views. A file of other folds is folded anew, so whoever changes what a fold gives, here or in
 * `libs/domain`, has to say so; `version.spec.ts` notices who did not.
 */

/** Raise it for a change that the fixed log does not show. */
export const FOLDS_VERSION = 1;

/** What the folds make of the fixed log (`testing/fixed-log.ts`): the digest of the canonical views. */
export const FOLDS_DIGEST = 'eff67d06b6e8db59274a3b26a3fad3aaa616f0061e2d963dd6d5f7c17e737265';
