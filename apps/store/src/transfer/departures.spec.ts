import type { RecordedEvent } from '@vw/event-store';
import { TOMBSTONE_TYPE } from '@vw/event-store';
import { describe, expect, it } from 'vitest';
import { Departures } from './departures.js';

const event = (stream: string, revision: number, type = 'T'): RecordedEvent =>
  ({ stream, revision, type }) as Partial<RecordedEvent> as RecordedEvent;

describe('departures', () => {
  it('leaves behind what the store says of itself, tombstones, and streams without their beginning, and counts them', () => {
    const departures = new Departures(true);
    const log = [
      event('a', 0),
      event('$settings', 0),
      event('b', 5),
      event('$$a', 0),
      event('$$$settings', 0),
      event('b', 6),
      event('a', 1),
      event('a', 99, TOMBSTONE_TYPE),
      event('c', 0),
    ];
    expect(log.filter((one) => departures.leaves(one)).map(({ stream, revision }) => `${stream}@${revision}`)).toEqual([
      'a@0',
      '$$a@0',
      'a@1',
      'c@0',
    ]);
    expect(departures.stayedBehind).toEqual({ tombstones: 1, systemEvents: 2, beheadedStreams: 1, beheadedEvents: 2 });
  });

  it('takes a stream anywhere where only the later part of a log is asked for, and no gap in it', () => {
    const departures = new Departures(false);
    expect(departures.leaves(event('b', 5))).toBe(true);
    expect(() => departures.leaves(event('b', 7))).toThrow(/event 7 where event 6 should be/);
  });
});
