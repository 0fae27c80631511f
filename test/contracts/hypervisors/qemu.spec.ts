/** The contract, and what only a VMM with processes of its own can suffer. */
import { spawn } from 'node:child_process';
import { access, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  createHypervisor,
  GuestNotStarted,
  ObservationImpossible,
  type GuestSpec,
  type Hypervisor,
} from '@vw/hypervisors';
import { packageRoot } from '@vw/runtime';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { runProgram } from '../../support/program.js';
import { requireServer } from '../../support/provisioned.js';
import {
  afterBeats,
  collectEvents,
  consoleOf,
  countingFrom,
  heartbeatsOf,
  layBenchTop,
  until,
  type BenchTop,
} from './bench-top.js';
import { deps, hypervisorContract } from './suite.js';

const qemuIsHere = requireServer('qemu-system-x86_64');
if (qemuIsHere) hypervisorContract('qemu');

describe.runIf(qemuIsHere)('a QEMU of its own', () => {
  let hypervisor: Hypervisor;
  let bench: BenchTop;
  let spec: GuestSpec;

  beforeEach(async () => {
    hypervisor = createHypervisor('qemu', deps);
    bench = await layBenchTop();
    spec = await bench.spec('w1');
  });

  afterEach(async () => {
    await hypervisor.undeploy(spec);
    await hypervisor.close();
    await bench.remove();
  });

  async function startBeating(guest: GuestSpec): Promise<void> {
    await hypervisor.stage(guest);
    await hypervisor.start(guest);
    await afterBeats(hypervisor, guest, 2);
  }

  it('killed from outside, is absent and told of as the death of the VMM', async () => {
    await startBeating(spec);
    const heard = collectEvents(hypervisor);
    process.kill(await pidOf(spec), 'SIGKILL');
    await until('an event', () => heard.events.length > 0);
    expect(await hypervisor.observe('w1', 1)).toMatchObject({
      power: 'absent',
      cause: expect.stringContaining('QEMU') as string,
    });
    await heard.stop();
    expect(heard.events).toMatchObject([{ workspaceId: 'w1', epoch: 1, kind: 'vmm-died' }]);
    await hypervisor.start(spec);
    await afterBeats(hypervisor, spec, 1);
  });

  it('killed while nobody looked, is found absent by the next agent', async () => {
    await startBeating(spec);
    await hypervisor.close();
    const pid = await pidOf(spec);
    process.kill(pid, 'SIGKILL');
    await until('its end', () => isGone(pid));
    hypervisor = createHypervisor('qemu', deps);
    expect(await hypervisor.adopt([spec])).toMatchObject([
      { workspaceId: 'w1', epoch: 1, observation: { power: 'absent' } },
    ]);
  });

  it('begun by a probe that was killed, is ended by the next probe', async () => {
    const prober = runProgram(join(packageRoot(), 'test/contracts/hypervisors/qemu/prober.program.ts'));
    let directory = '';
    try {
      await prober.printed(1);
      await until('the guest of the probe', async () => {
        const names = await readdir(tmpdir());
        directory = join(tmpdir(), names.find((name) => name.startsWith(`vw-probe-${prober.lines[0]}-`)) ?? 'none');
        return exists(join(directory, 'vmm-qemu.pid'));
      });
    } finally {
      await prober.kill();
    }
    const pid = await pidOf({ directory });
    expect(await isGone(pid)).toBe(false);
    expect(await hypervisor.probe()).toMatchObject({ usable: true });
    expect(await isGone(pid)).toBe(true);
    expect(await exists(directory)).toBe(false);
  });

  it('whose agent was killed before it had given it the state to continue from, is ended by the next agent', async () => {
    await startBeating(spec);
    await hypervisor.close();
    const pid = await pidOf(spec);
    const [program = '', ...words] = (await readFile(`/proc/${pid}/cmdline`, 'utf8')).split('\0').slice(0, -1);
    process.kill(pid, 'SIGKILL');
    await until('its end', () => isGone(pid));
    const state = join(spec.directory, 'vmm-ram.sock');
    const waiting = spawn(program, [...words, '-incoming', `unix:${state}`, '-S'], { stdio: 'ignore' });
    await until('a QEMU that waits', () => exists(state));

    hypervisor = createHypervisor('qemu', deps);
    expect(await hypervisor.adopt([spec])).toMatchObject([{ observation: { power: 'absent' } }]);
    expect(await isGone(waiting.pid!)).toBe(true);
    await hypervisor.start(spec);
    await afterBeats(hypervisor, spec, 1);
  });

  it('that crashes inside by a triple fault is told of as a crash', async () => {
    await writeFile(spec.boot.file, tripleFault());
    const heard = collectEvents(hypervisor);
    await hypervisor.stage(spec);
    // It may be gone before start has looked at it for the last time; then start says so.
    await hypervisor.start(spec).catch((error: unknown) => expect(error).toBeInstanceOf(GuestNotStarted));
    await until('an event', () => heard.events.length > 0);
    expect(await hypervisor.observe('w1', 1)).toMatchObject({ power: 'absent' });
    await heard.stop();
    expect(heard.events).toMatchObject([{ kind: 'crashed' }]);
  });

  it('outlives an agent that is killed, and the next agent takes it over, running or paused', async () => {
    const paused = await bench.spec('w2');
    const agent = runProgram(
      join(packageRoot(), 'test/contracts/hypervisors/qemu/agent.ts'),
      JSON.stringify([spec, paused]),
    );
    try {
      await agent.printed(1);
    } finally {
      await agent.kill();
    }
    const frozen = await consoleOf(hypervisor, paused);
    await afterBeats(hypervisor, spec, 2);
    expect(await consoleOf(hypervisor, paused)).toBe(frozen);

    expect(await hypervisor.adopt([spec, paused])).toEqual([
      { workspaceId: 'w1', epoch: 1, observation: { power: 'running' } },
      { workspaceId: 'w2', epoch: 1, observation: { power: 'paused' } },
    ]);
    const heard = collectEvents(hypervisor);
    await hypervisor.start(spec);
    await hypervisor.unpause('w2', 1);
    for (const guest of [spec, paused]) {
      const beats = await afterBeats(hypervisor, guest, 2);
      expect(beats).toEqual(countingFrom(1, beats.length));
    }
    // An adopted guest's end is heard of as that of any other.
    process.kill(await pidOf(paused), 'SIGKILL');
    await until('an event', () => heard.events.length > 0);
    await heard.stop();
    await hypervisor.undeploy(paused);
  });

  it('begun by an agent that died before it had written more than the marker, is found by what the marker says', async () => {
    await startBeating(spec);
    const marker = JSON.parse(await readFile(join(spec.directory, 'vmm-qemu.json'), 'utf8')) as {
      handle: { uuid: string };
    };
    const words = await readFile(`/proc/${await pidOf(spec)}/cmdline`, 'utf8');
    expect(words.split('\0')).toContain(marker.handle.uuid);
  });

  it('saves an adopted, already serialised guest once more', async () => {
    await startBeating(spec);
    await hypervisor.pause('w1', 1);
    await hypervisor.serialise('w1', 1, join(bench.folder, 'a.hot'));
    await hypervisor.close();
    hypervisor = createHypervisor('qemu', deps);
    await hypervisor.adopt([spec]);
    const image = await hypervisor.serialise('w1', 1, join(bench.folder, 'b.hot'));
    const last = (await heartbeatsOf(hypervisor, spec)).at(-1)!;
    await hypervisor.stop('w1', 1, 'hard', 0);
    await hypervisor.start(spec, image);
    expect(await afterBeats(hypervisor, spec, 1)).toContain(last + 1);
  });

  it('saves a guest whose last agent was killed when QEMU had written its state, and before that was kept', async () => {
    await startBeating(spec);
    await hypervisor.pause('w1', 1);
    await hypervisor.serialise('w1', 1, join(bench.folder, 'a.hot'));
    await hypervisor.close();
    await rm(join(spec.directory, 'vmm-last-saved'));
    hypervisor = createHypervisor('qemu', deps);
    await hypervisor.adopt([spec]);
    const image = await hypervisor.serialise('w1', 1, join(bench.folder, 'b.hot'));
    expect(await hypervisor.observe('w1', 1)).toEqual({ power: 'paused' });
    const last = (await heartbeatsOf(hypervisor, spec)).at(-1)!;
    await hypervisor.stop('w1', 1, 'hard', 0);
    await hypervisor.start(spec, image);
    expect(await afterBeats(hypervisor, spec, 1)).toContain(last + 1);
  });

  it('keeps no second name of a state that its guest has left behind', async () => {
    await startBeating(spec);
    await hypervisor.pause('w1', 1);
    await hypervisor.serialise('w1', 1, join(bench.folder, 'a.hot'));
    await hypervisor.unpause('w1', 1);
    expect(await readdir(spec.directory)).not.toContain('vmm-last-saved');
  });

  it('that stands still is not called absent, and can still be stopped', async () => {
    await startBeating(spec);
    const pid = await pidOf(spec);
    process.kill(pid, 'SIGSTOP');
    await expect(hypervisor.observe('w1', 1)).rejects.toBeInstanceOf(ObservationImpossible);
    process.kill(pid, 'SIGCONT');
    expect(await hypervisor.observe('w1', 1)).toEqual({ power: 'running' });
  });

  it("works in a directory whose name is long and full of the shell's and QEMU's own signs", async () => {
    const directory = join(bench.folder, `a, b='c' "$(touch x)"; &${'d'.repeat(150)}`);
    const odd = await bench.spec('w2', { directory, commandLine: `quote ' and " and , and $HOME` });
    try {
      await startBeating(odd);
      await hypervisor.pause('w2', 1);
      const image = await hypervisor.serialise('w2', 1, join(directory, 'state, of=it.hot'));
      await hypervisor.stop('w2', 1, 'hard', 0);
      await hypervisor.start(odd, image);
      const beats = await afterBeats(hypervisor, odd, 2);
      expect(beats).toEqual(countingFrom(1, beats.length));
      expect(await consoleOf(hypervisor, odd)).toContain(`quote ' and " and , and $HOME\n`);
    } finally {
      await hypervisor.undeploy(odd);
    }
  });

  it('is not swept away by another VMM that is given the same directory', async () => {
    await startBeating(spec);
    const other = createHypervisor('v86', deps);
    await expect(other.stage(spec)).rejects.toBeInstanceOf(ObservationImpossible);
    await other.close();
    const beats = await afterBeats(hypervisor, spec, 1);
    expect(beats).toEqual(countingFrom(1, beats.length));
  });

  it('boots a disk', async () => {
    const file = join(spec.directory, 'disk.raw');
    await writeFile(file, bootSectorThatBeats());
    const disk: GuestSpec = { ...spec, boot: { kind: 'disk', file }, commandLine: '' };
    await startBeating(disk);
    await hypervisor.pause('w1', 1);
    expect(await hypervisor.observe('w1', 1)).toEqual({ power: 'paused' });
  });

  it('is gone with its sockets after undeploy', async () => {
    await startBeating(spec);
    const pid = await pidOf(spec);
    await hypervisor.undeploy(spec);
    expect(await isGone(pid)).toBe(true);
  });
});

const exists = (path: string): Promise<boolean> =>
  access(path).then(
    () => true,
    () => false,
  );

async function pidOf({ directory }: Pick<GuestSpec, 'directory'>): Promise<number> {
  return Number(await readFile(join(directory, 'vmm-qemu.pid'), 'utf8'));
}

/** A zombie is gone: nothing of it can run. */
async function isGone(pid: number): Promise<boolean> {
  return access(`/proc/${pid}/cmdline`).then(
    async () => (await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')) === '',
    () => true,
  );
}

/** A multiboot kernel whose one act is an interrupt that its processor has no table for. */
function tripleFault(): Uint8Array {
  const at = 0x100000;
  const image = Buffer.alloc(48);
  const words = [0x1badb002, 0x00010000, -(0x1badb002 + 0x00010000) >>> 0, at, at, at + 48, at + 48, at + 32];
  words.forEach((word, i) => image.writeUInt32LE(word, i * 4));
  // lidt [address of six zero bytes]; int3
  Buffer.from([0x0f, 0x01, 0x1d, 0x29, 0x00, 0x10, 0x00, 0xcc]).copy(image, 32);
  return image;
}

/** A boot sector that prints `HB 1` to `HB 9` on COM1, each after some of the BIOS clock's ticks, and then halts. */
function bootSectorThatBeats(): Uint8Array {
  const sector = Buffer.alloc(512);
  const code = [
    0xb3,
    0x31, // mov bl, '1'
    0xf4,
    0xf4, // next: hlt, twice: two ticks of the BIOS clock
    0xb0,
    0x48,
    0xe8,
    0x19,
    0x00, // mov al, 'H'; call put
    0xb0,
    0x42,
    0xe8,
    0x14,
    0x00, // 'B'
    0xb0,
    0x20,
    0xe8,
    0x0f,
    0x00, // ' '
    0x88,
    0xd8,
    0xe8,
    0x0a,
    0x00, // mov al, bl
    0xb0,
    0x0a,
    0xe8,
    0x05,
    0x00, // line feed
    0xfe,
    0xc3, // inc bl
    0xeb,
    0xe1, // jmp next
    0x90, // nop
    0xba,
    0xf8,
    0x03,
    0xee,
    0xc3, // put: mov dx, 0x3f8; out dx, al; ret
  ];
  Buffer.from(code).copy(sector);
  sector.writeUInt16LE(0xaa55, 510);
  return sector;
}
