/** What the rules above the adapters say where a VMM leaves them in doubt; the adapters' own VMMs can hardly be brought to it. */
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { silentLogger, systemClock, systemIds, systemRandom, systemTimers } from '@vw/runtime';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ObservationImpossible } from '../errors.js';
import { markersOnDisk } from '../files/marker.js';
import type { GuestObservation, GuestSpec } from '../port.js';
import { EnsuringHypervisor } from './hypervisor.js';
import type { Ending, Machine, Vmm } from './vmm.js';

const deps = { clock: systemClock, timers: systemTimers, ids: systemIds, random: systemRandom, logger: silentLogger };

describe('a VMM that leaves open what is true', () => {
  let directory: string;
  let spec: GuestSpec;

  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'ensuring-'));
    const boot = { kind: 'kernel', file: join(directory, 'kernel') } as const;
    spec = { workspaceId: 'w1', epoch: 1, directory, memoryMiB: 16, cpus: 1, boot, commandLine: '' };
  });

  afterEach(() => rm(directory, { recursive: true, force: true }));

  it('after a start in doubt is asked again instead of calling the guest absent', async () => {
    let answer: () => Promise<Machine | { absent: string }> = async () => {
      throw new ObservationImpossible('no answer');
    };
    const hypervisor = new EnsuringHypervisor(
      vmm({
        powerOn: () => Promise.reject(new ObservationImpossible('begun, and silent since')),
        find: () => answer(),
      }),
      deps,
    );
    await expect(hypervisor.start(spec)).rejects.toBeInstanceOf(ObservationImpossible);
    await expect(hypervisor.observe('w1', 1)).rejects.toBeInstanceOf(ObservationImpossible);
    await expect(hypervisor.stop('w1', 1, 'hard', 0)).rejects.toBeInstanceOf(ObservationImpossible);
    await expect(hypervisor.undeploy(spec)).rejects.toBeInstanceOf(ObservationImpossible);
    await expect(hypervisor.stage({ ...spec, epoch: 2 })).rejects.toBeInstanceOf(ObservationImpossible);
    answer = async () => new ObedientMachine();
    expect(await hypervisor.observe('w1', 1)).toEqual({ power: 'running' });
    await hypervisor.undeploy(spec);
    expect(await hypervisor.observe('w1', 1)).toEqual({ power: 'absent' });
  });

  it('has the marker of a machine on disk before the machine is begun', async () => {
    let marker = '';
    const hypervisor = new EnsuringHypervisor(
      vmm({
        powerOn: async () => {
          marker = await readFile(join(directory, 'vmm-qemu.json'), 'utf8');
          return new ObedientMachine();
        },
      }),
      deps,
    );
    await hypervisor.start(spec);
    expect(JSON.parse(marker)).toMatchObject({ workspaceId: 'w1', epoch: 1, handle: { uuid: 'u1' } });
  });

  it('that refuses to die keeps its guest in hand', async () => {
    const machine = new ObedientMachine();
    machine.takePower = () => Promise.reject(new ObservationImpossible('killed, and still there'));
    const hypervisor = new EnsuringHypervisor(vmm({ powerOn: () => Promise.resolve(machine) }), deps);
    await hypervisor.start(spec);
    await expect(hypervisor.stop('w1', 1, 'hard', 0)).rejects.toBeInstanceOf(ObservationImpossible);
    expect(await hypervisor.observe('w1', 1)).toEqual({ power: 'running' });
  });

  it('that says it paused a guest, and did not, is not believed', async () => {
    const machine = new ObedientMachine();
    machine.freeze = () => Promise.resolve();
    const hypervisor = new EnsuringHypervisor(vmm({ powerOn: () => Promise.resolve(machine) }), deps);
    await hypervisor.start(spec);
    await expect(hypervisor.pause('w1', 1)).rejects.toThrow('runs on');
  });

  it('is told nothing of a marker that it does not understand', async () => {
    const first = new EnsuringHypervisor(vmm({}), deps);
    await first.stage(spec);
    await writeFile(join(directory, 'vmm-qemu.json'), '{"format": 2}');
    const second = new EnsuringHypervisor(vmm({}), deps);
    await expect(second.adopt([spec])).rejects.toBeInstanceOf(ObservationImpossible);
    await expect(second.stage(spec)).rejects.toBeInstanceOf(ObservationImpossible);
  });
});

describe('the probe of a VMM with two accelerators', () => {
  const booting = (...working: readonly string[]) => {
    const powerOn: Vmm['powerOn'] = async ({ directory }, _handle, accelerator) => {
      if (working.includes(accelerator)) await writeFile(join(directory, 'serial.log'), 'HB 1\n');
      return new ObedientMachine();
    };
    const two = vmm({ powerOn });
    two.identify = async () => ({ ...(await vmm({}).identify()), accelerators: ['kvm', 'tcg'] });
    return new EnsuringHypervisor(two, deps);
  };

  it.each([
    { working: ['kvm', 'tcg'], taken: 'kvm' },
    { working: ['kvm'], taken: 'kvm' },
    { working: ['tcg'], taken: 'tcg' },
  ])('takes $taken where the guest boots under $working', async ({ working, taken }) => {
    const result = await booting(...working).probe();
    expect(result).toMatchObject({ usable: true, profile: { accelerator: taken } });
  });

  it('is not held up by the one that hangs, and says so', async () => {
    const begun = systemClock.monotonic();
    const result = await booting('tcg').probe();
    expect(result.detail).toContain('not under kvm: no heartbeat came within 500 ms after the one under tcg');
    expect(systemClock.monotonic() - begun).toBeLessThan(5_000);
  });
});

function vmm(acts: Partial<Pick<Vmm, 'powerOn' | 'find'>>): Vmm {
  return {
    type: 'qemu',
    outlivesAgent: true,
    markers: markersOnDisk('qemu'),
    identify: async () => ({ version: '1', machine: 'm', architectures: [], capabilities: [], accelerators: ['tcg'] }),
    newHandle: async () => ({ uuid: 'u1' }),
    powerOn: async () => new ObedientMachine(),
    find: async () => ({ absent: 'gone' }),
    release: () => undefined,
    ...acts,
  };
}

/** Does what it is told, at once. */
class ObedientMachine implements Machine {
  #power: GuestObservation = { power: 'running' };
  #end!: (ending: Ending) => void;
  readonly ended = new Promise<Ending>((resolve) => (this.#end = resolve));
  observe = async (): Promise<GuestObservation> => this.#power;
  freeze = async (): Promise<void> => void (this.#power = { power: 'paused' });
  unfreeze = async (): Promise<void> => void (this.#power = { power: 'running' });
  save = async (): Promise<void> => undefined;
  askToShutDown = async (): Promise<void> => undefined;
  letGo = async (): Promise<void> => undefined;
  takePower = async (): Promise<void> => {
    this.#power = { power: 'absent' };
    this.#end({ kind: 'exited', detail: 'told to' });
  };
}
