import { describe, expect, it } from 'vitest';
import { refusalProblem } from './problem.js';

describe('a refusal in words', () => {
  it('says what was found in the way', () => {
    const refusal = { reason: 'DEPLOYED', asked: {}, found: { hostId: 'h1' } } as const;
    expect(refusalProblem(refusal).problem.detail).toBe('The workspace is deployed (hostId: h1)');
  });

  it('says what was asked for where there is none of it', () => {
    const refusal = { reason: 'NOT_FOUND', asked: { host: 'h9' }, found: {} } as const;
    expect(refusalProblem(refusal).problem.detail).toBe('There is no such thing (host: h9)');
  });
});
