import type { EventStore, Position, SubscriptionItem } from '@vw/event-store';
import { expect, test } from 'vitest';
import { canonicalDigest } from './canonical.js';
import { create } from './file.js';
import { fixedLog } from './testing/fixed-log.js';
import { FOLDS_DIGEST } from './version.js';
import { Views } from './views.js';

test('the folds give what they gave when their version was written down', async () => {
  const log = fixedLog();
  async function* subscribeAll(): AsyncGenerator<SubscriptionItem> {
    for (const event of log) yield { kind: 'event', event };
    yield { kind: 'caught-up', position: log.length as Position };
  }
  const store = { subscribeAll } as unknown as EventStore;
  const views = new Views({ db: create(':memory:'), store, limits: { batchEvents: 500, cachedStates: 100 } });
  await views.run(new AbortController().signal);
  const digest = canonicalDigest(views);
  views.close();
  expect(
    digest,
    `the same events give other views than before. If that is meant, set FOLDS_DIGEST in libs/projections/src/version.ts to
    '${digest}': every file of views is then folded anew. If it is not meant, a fold was broken.`,
  ).toBe(FOLDS_DIGEST);
});
