import { silentLogger, systemClock, systemIds, systemRandom, systemTimers } from '@vw/runtime';
import { afterEach, describe, expect, it } from 'vitest';
import { pickHypervisor } from './pick.js';

const deps = { clock: systemClock, timers: systemTimers, ids: systemIds, random: systemRandom, logger: silentLogger };
const path = process.env['PATH'];

describe('picking a VMM', () => {
  afterEach(() => {
    process.env['PATH'] = path;
  });

  it('takes v86 where QEMU is not installed, and says both in plain words', async () => {
    process.env['PATH'] = '/nowhere';
    const { hypervisor, profile, reason, rejected } = await pickHypervisor('auto', deps);
    await hypervisor.close();
    expect(profile).toMatchObject({ type: 'v86', accelerator: 'wasm' });
    expect(profile.capabilities).not.toContain('disk');
    expect(reason).toContain('v86');
    expect(reason).toContain('heartbeat');
    expect(rejected).toEqual([{ type: 'qemu', detail: 'qemu-system-x86_64 is not installed' }]);
  });

  it('takes no other than the one that was asked for', async () => {
    process.env['PATH'] = '/nowhere';
    await expect(pickHypervisor('qemu', deps)).rejects.toThrow('qemu-system-x86_64 is not installed');
    const { hypervisor, profile, rejected } = await pickHypervisor('simulated', deps);
    await hypervisor.close();
    expect(profile.type).toBe('simulated');
    expect(rejected).toEqual([]);
  });
});
