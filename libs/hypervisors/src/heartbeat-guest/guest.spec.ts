import { sha256Hex } from '@vw/runtime';
import { describe, expect, it } from 'vitest';
import { isMultibootKernel } from '../files/multiboot.js';
import { buildHeartbeatGuest } from './index.js';

describe('the heartbeat guest', () => {
  it('is the same bytes on every machine, and other bytes only on purpose', () => {
    expect(sha256Hex(buildHeartbeatGuest())).toBe('f16d0b321028f11a391d76105c1832fb38b4151ff640abbe2b26eb2c2353a302');
  });

  it('has a header that a multiboot loader believes', () => {
    const guest = buildHeartbeatGuest();
    const view = new DataView(guest.buffer);
    const [magic, flags, checksum] = [0, 4, 8].map((at) => view.getUint32(at, true)) as [number, number, number];
    expect(magic).toBe(0x1badb002);
    expect((magic + flags + checksum) % 2 ** 32).toBe(0);
    expect(isMultibootKernel(guest)).toBe(true);
  });

  it('tells the loader addresses that agree with its length', () => {
    const guest = buildHeartbeatGuest();
    const view = new DataView(guest.buffer);
    const [header, load, loadEnd, bssEnd, entry] = [12, 16, 20, 24, 28].map((at) => view.getUint32(at, true)) as [
      number,
      number,
      number,
      number,
      number,
    ];
    expect(header).toBe(load);
    expect(loadEnd - load).toBe(guest.length);
    expect(bssEnd).toBeGreaterThan(loadEnd);
    expect(bssEnd).toBeLessThan(2 << 20);
    expect(entry).toBeGreaterThanOrEqual(load + 32);
  });
});
