import { describe, expect, it } from 'vitest';
import { answeredBefore, collectAnswers } from './answered.js';
import type { CommandId } from './ids.js';
import { event, id, recorded } from './testing/scenario.js';

const byCommand = (commandId: CommandId, commandDigest: string) =>
  recorded([event('WorkspaceCheckedOut'), event('DeployRequested')], { commandId, commandDigest });

describe('command ids', () => {
  const answers = collectAnswers([
    ...recorded([event('WorkspaceCreated')], { commandId: id('c1'), commandDigest: 'one' }),
    ...byCommand(id('c2'), 'two').map((each) => ({
      ...each,
      revision: each.revision + 1,
      position: each.position + 10,
    })),
    ...recorded([event('WorkspaceDeployed')]).map((each) => ({ ...each, revision: 3, position: 120 })),
  ]);

  it('are found with the last event of their command', () => {
    expect([...answers]).toEqual([
      ['c1', { digest: 'one', revision: 0, position: 100 }],
      ['c2', { digest: 'two', revision: 2, position: 111 }],
    ]);
  });

  it('that are new are decided', () => {
    expect(answeredBefore(answers, id('c3'), 'one')).toEqual({ kind: 'new' });
  });

  it('with the same body get the first answer', () => {
    expect(answeredBefore(answers, id('c2'), 'two')).toEqual({
      kind: 'repeated',
      answer: { digest: 'two', revision: 2, position: 111 },
    });
  });

  it('with another body are refused, with both', () => {
    expect(answeredBefore(answers, id('c1'), 'two')).toEqual({
      kind: 'refused',
      refusal: {
        reason: 'COMMAND_ID_REUSED',
        asked: { commandId: 'c1', digest: 'two' },
        found: { commandId: 'c1', digest: 'one' },
      },
    });
  });

  it('of evidence are nobody’s: an event without a command answers none', () => {
    expect(collectAnswers(recorded([event('WorkspaceDeployed')], { commandId: id('c1') })).size).toBe(0);
    expect(collectAnswers(recorded([event('WorkspaceDeployed')])).size).toBe(0);
  });
});
