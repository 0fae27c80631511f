import { describe, expect, it } from 'vitest';
import { Progress } from './progress.js';

function terminal(isTty: boolean) {
  let at = 0;
  const drawn: string[] = [];
  const sink = { isTty, columns: 70, write: async (text: string | Uint8Array) => void drawn.push(String(text)) };
  const clock = { now: () => 0, monotonic: () => at };
  const progress = new Progress({ sink, clock, what: 'exporting', noun: 'event' });
  return { progress, drawn, pass: (ms: number) => (at += ms) };
}

describe('progress', () => {
  it('tells the share, the rate and the time that is left, in one line that fits', async () => {
    const { progress, drawn, pass } = terminal(true);
    pass(10_000);
    await progress.show(25_000, 0.25);
    expect(drawn).toEqual(['\r\u001b[2Kexporting [######..................]  25 %  25,000 events, 2,500/s, 3']);
    pass(1000);
    await progress.show(30_000, undefined);
    expect(drawn.at(-1)).toBe('\r\u001b[2Kexporting 30,000 events, 2,727/s');
    await progress.clear();
    expect(drawn.at(-1)).toBe('\r\u001b[2K');
  });

  it('draws ten times a second, and nothing where nobody looks', async () => {
    const { progress, drawn, pass } = terminal(true);
    for (let n = 0; n < 1000; n += 1, pass(1)) await progress.show(n, n / 1000);
    expect(drawn).toHaveLength(10);
    const elsewhere = terminal(false);
    await elsewhere.progress.show(1, 0.5);
    await elsewhere.progress.clear();
    expect(elsewhere.drawn).toEqual([]);
  });
});
