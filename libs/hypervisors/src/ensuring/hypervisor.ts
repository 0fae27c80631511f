/**
 * The rules of the port, kept once for every VMM.
 *
 * What must stay true:
 *  1. A marker that names the machine is durable before the machine exists, and says that there is none only after its absence was seen.
 *     So whoever comes after a crash, at any line of this file, finds what may be alive.
 *  2. Every verb first looks (`#look`), acts only where what it sees differs from what it ensures, and looks again. Only a hard stop acts at
 *     once: nothing seen could change it, and a VMM that answers no more can be ended in no other way.
 *  3. A machine of another epoch is never touched, save in `stage`, where the new epoch's grant itself makes the older guest a leftover.
 */
import { join } from 'node:path';
import type { HypervisorDeps } from '../deps.js';
import {
  GuestNotStarted,
  IncompatibleHotImage,
  NoSuchGuest,
  NotPaused,
  ObservationImpossible,
  WrongEpoch,
} from '../errors.js';
import type {
  AdoptedGuest,
  GuestEvent,
  GuestObservation,
  GuestSpec,
  HotImageFile,
  Hypervisor,
  ProbeResult,
  VmmType,
} from '../port.js';
import { CONSOLE_FILE } from '../files/names.js';
import { EventFeed } from './event-feed.js';
import { bootTinyGuest, removeOrphans } from './probe.js';
import type { Ending, GuestIdentity, Machine, MachineHandle, Marker, Vmm, VmmIdentity } from './vmm.js';

/** The tiny guest needs well under a second; a busy host may slow it down. */
const PATIENCE_MS = 15_000;
/** An accelerator that has not booted it so long after a slower one has, accelerates nothing. */
const BEHIND_MS = 500;

/** What is known of one workspace's guest on this host. */
interface Guest {
  readonly identity: GuestIdentity;
  /** Null where there is no machine in hand. */
  machine: Machine | null;
  /** Null where there is no machine at all; then `cause` may say why. */
  handle: MachineHandle | null;
  cause: string | null;
  /** The last write of the marker: writes keep their order. */
  written: Promise<void>;
}

/** What became of the tiny guest under one accelerator: milliseconds to its first heartbeat, or what happened instead. */
type Trial =
  | { readonly accelerator: string; readonly bootedMs: number; readonly failure?: undefined }
  | { readonly accelerator: string; readonly bootedMs?: undefined; readonly failure: string };

/** A guest with a machine, and what that machine was last seen doing. */
interface Living {
  readonly guest: Guest;
  readonly machine: Machine;
  readonly power: 'running' | 'paused';
}

export class EnsuringHypervisor implements Hypervisor {
  readonly type: VmmType;
  readonly #guests = new Map<string, Guest>();
  readonly #feed = new EventFeed();
  /** Machines whose end was asked for. */
  readonly #dismissed = new WeakSet<Machine>();
  #identity: Promise<VmmIdentity> | undefined;
  /** What the probe has proven; until then the accelerator that always works is taken. */
  #proven: string | undefined;
  #closed = false;

  constructor(
    private readonly vmm: Vmm,
    private readonly deps: HypervisorDeps,
  ) {
    this.type = vmm.type;
  }

  async probe(signal?: AbortSignal): Promise<ProbeResult> {
    let identity: VmmIdentity;
    try {
      identity = await this.#identify();
    } catch (error) {
      return { usable: false, detail: message(error) };
    }
    await removeOrphans(new EnsuringHypervisor(this.vmm, this.deps), this.deps);
    const failures: string[] = [];
    for (const { accelerator, bootedMs, failure } of await this.#tryAll(identity.accelerators, signal)) {
      if (bootedMs === undefined) {
        failures.push(`not under ${accelerator}: ${failure}`);
        continue;
      }
      this.#proven = accelerator;
      return {
        usable: true,
        profile: profile(this.type, identity, accelerator),
        detail: proof(bootedMs, accelerator, failures),
      };
    }
    return { usable: false, detail: `the tiny guest did not boot, ${failures.join('; ')}` };
  }

  /** All at once, because one that hangs would hold up the rest. Who boots ends the slower ones at once, and the faster ones if they are late. */
  async #tryAll(accelerators: readonly string[], signal?: AbortSignal): Promise<readonly Trial[]> {
    const runs = accelerators.map((accelerator) => ({ accelerator, over: new AbortController() }));
    const allOver = new AbortController();
    const attempts = runs.map(async ({ accelerator, over }, rank) => {
      const called = AbortSignal.any(signal === undefined ? [over.signal] : [over.signal, signal]);
      const trial = await this.#try(accelerator, called);
      if (trial.bootedMs === undefined) return trial;
      for (const slower of runs.slice(rank + 1)) slower.over.abort(new Error(`${accelerator} was faster`));
      const late = new Error(`no heartbeat came within ${BEHIND_MS} ms after the one under ${accelerator}`);
      void this.deps.timers.sleep(BEHIND_MS, allOver.signal).then(() => {
        for (const faster of runs.slice(0, rank)) faster.over.abort(late);
      });
      return trial;
    });
    const trials = await Promise.all(attempts);
    allOver.abort();
    return trials;
  }

  async #try(accelerator: string, signal: AbortSignal): Promise<Trial> {
    // Another instance over the same VMM: the trial guest is nobody's business here, nor is its end an event.
    const trial = new EnsuringHypervisor(this.vmm, this.deps);
    trial.#proven = accelerator;
    try {
      return { accelerator, bootedMs: await bootTinyGuest(trial, this.deps, PATIENCE_MS, signal) };
    } catch (error) {
      return { accelerator, failure: message(error) };
    }
  }

  async stage(spec: GuestSpec): Promise<void> {
    const known = await this.#recall(spec);
    if (known !== undefined && known.identity.epoch > spec.epoch) throw wrongEpoch(known, spec.epoch);
    if (known !== undefined && known.identity.epoch === spec.epoch) return;
    if (known?.machine) await this.#dismiss(known, known.machine);
    await this.vmm.markers.sweep(spec.directory, true);
    const guest: Guest = {
      identity: identityOf(spec),
      machine: null,
      handle: null,
      cause: null,
      written: Promise.resolve(),
    };
    await this.#write(guest);
    this.#guests.set(spec.workspaceId, guest);
  }

  async start(spec: GuestSpec, from?: HotImageFile): Promise<void> {
    const there = await this.#look(await this.#recall(spec), spec.epoch);
    if (there?.power === 'running') return;
    if (there?.power === 'paused') return this.#unfreeze(there);

    await this.stage(spec);
    const identity = await this.#identify().catch((cause: unknown) => {
      throw new GuestNotStarted(message(cause), false, { cause });
    });
    if (from !== undefined) refuseForeign(from, this.type, identity);
    const guest = this.#guests.get(spec.workspaceId)!;
    await this.#powerOn(guest, spec, identity, from);
    const begun = await this.#look(guest, spec.epoch);
    if (begun === undefined) throw new GuestNotStarted(guest.cause ?? 'the guest ended as soon as it had begun', false);
  }

  async pause(workspaceId: string, epoch: number): Promise<void> {
    const living = await this.#living(workspaceId, epoch);
    if (living.power === 'paused') return;
    await living.machine.freeze();
    const now = await this.#living(workspaceId, epoch);
    if (now.power !== 'paused')
      throw new Error(`the guest of workspace ${workspaceId} runs on although it was told to pause`);
  }

  async unpause(workspaceId: string, epoch: number): Promise<void> {
    const living = await this.#living(workspaceId, epoch);
    if (living.power === 'paused') await this.#unfreeze(living);
  }

  async serialise(workspaceId: string, epoch: number, file: string): Promise<HotImageFile> {
    const { machine, power } = await this.#living(workspaceId, epoch);
    if (power !== 'paused') throw new NotPaused(workspaceId);
    const identity = await this.#identify();
    await machine.save(file);
    return { file, vmmType: this.type, vmmVersion: identity.version, machine: identity.machine };
  }

  async stop(workspaceId: string, epoch: number, mode: 'graceful' | 'hard', graceMs: number): Promise<void> {
    const guest = this.#guests.get(workspaceId);
    if (mode === 'hard' && guest?.machine && guest.identity.epoch === epoch) {
      return this.#dismiss(guest, guest.machine);
    }
    const living = await this.#look(guest, epoch);
    if (living === undefined) return;
    await this.#dismiss(living.guest, living.machine, async () => {
      if (mode === 'graceful') await this.#awaitShutDown(living, graceMs);
    });
  }

  async undeploy(spec: Pick<GuestSpec, 'workspaceId' | 'epoch' | 'directory'>): Promise<void> {
    const guest = await this.#recall(spec);
    if (guest !== undefined && guest.identity.epoch > spec.epoch) throw wrongEpoch(guest, spec.epoch);
    if ((await this.#look(guest, spec.epoch)) !== undefined) await this.stop(spec.workspaceId, spec.epoch, 'hard', 0);
    await guest?.written;
    await this.vmm.markers.sweep(spec.directory, false);
    this.#guests.delete(spec.workspaceId);
  }

  async observe(workspaceId: string, epoch: number): Promise<GuestObservation> {
    const guest = this.#guests.get(workspaceId);
    const living = await this.#look(guest, epoch);
    if (living !== undefined) return { power: living.power };
    return absent(guest?.cause ?? null);
  }

  async adopt(specs: readonly GuestSpec[]): Promise<readonly AdoptedGuest[]> {
    const adopted: AdoptedGuest[] = [];
    for (const spec of specs) {
      const guest = await this.#recall(spec);
      if (guest === undefined) continue;
      const { workspaceId, epoch } = guest.identity;
      adopted.push({ workspaceId, epoch, observation: await this.observe(workspaceId, epoch) });
    }
    return adopted;
  }

  events(signal: AbortSignal): AsyncIterable<GuestEvent> {
    return this.#feed.listen(signal);
  }

  serialFile(directory: string): string {
    return join(directory, CONSOLE_FILE);
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#feed.close();
    const guests = [...this.#guests.values()];
    this.#guests.clear();
    await Promise.all(guests.map(async (guest) => guest.machine?.letGo()));
    await Promise.all(guests.map((guest) => guest.written));
    this.vmm.release();
  }

  /** What is known of the workspace's guest: from memory, else from the marker in its directory, whose machine is then sought. */
  async #recall(spec: Pick<GuestSpec, 'workspaceId' | 'directory'>): Promise<Guest | undefined> {
    const known = this.#guests.get(spec.workspaceId);
    if (known !== undefined) {
      await this.#settle(known);
      return known;
    }
    const marker = await this.vmm.markers.read(spec.directory);
    if (marker === undefined) return undefined;
    if (marker.workspaceId !== spec.workspaceId) {
      throw new ObservationImpossible(
        `${spec.directory} belongs to workspace ${marker.workspaceId}, not to ${spec.workspaceId}`,
      );
    }
    const { workspaceId, epoch, memoryMiB, cpus, handle, cause } = marker;
    const identity = { workspaceId, epoch, memoryMiB, cpus, directory: spec.directory };
    const guest: Guest = { identity, machine: null, handle, cause, written: Promise.resolve() };
    await this.#settle(guest);
    this.#guests.set(workspaceId, guest);
    return guest;
  }

  /** Finds the machine that a handle speaks of and that is not in hand: another agent's, or one whose start ended in doubt. */
  async #settle(guest: Guest): Promise<void> {
    if (guest.machine !== null || guest.handle === null) return;
    const found = await this.vmm.find(guest.identity, guest.handle);
    if ('absent' in found) await this.#markAbsent(guest, found.absent);
    else this.#take(guest, found);
  }

  /** What is true of the guest's machine; undefined where there is none. @throws WrongEpoch for a machine of another epoch */
  async #look(guest: Guest | undefined, epoch: number): Promise<Living | undefined> {
    if (guest === undefined) return undefined;
    await this.#settle(guest);
    const { machine } = guest;
    if (machine === null) return undefined;
    const seen = await machine.observe();
    if (seen.power === 'absent') {
      if (guest.machine === machine) await this.#markAbsent(guest, seen.cause ?? null);
      return undefined;
    }
    if (guest.identity.epoch !== epoch) throw wrongEpoch(guest, epoch);
    return { guest, machine, power: seen.power };
  }

  async #living(workspaceId: string, epoch: number): Promise<Living> {
    const living = await this.#look(this.#guests.get(workspaceId), epoch);
    if (living === undefined) throw new NoSuchGuest(workspaceId);
    return living;
  }

  async #powerOn(guest: Guest, spec: GuestSpec, identity: VmmIdentity, from: HotImageFile | undefined): Promise<void> {
    const accelerator = this.#proven ?? identity.accelerators.at(-1)!;
    guest.handle = await this.vmm.newHandle(spec, identity);
    guest.cause = null;
    await this.#write(guest);
    try {
      this.#take(guest, await this.vmm.powerOn(spec, guest.handle, accelerator, from));
    } catch (error) {
      if (error instanceof GuestNotStarted || error instanceof IncompatibleHotImage) {
        await this.#markAbsent(guest, error.message);
      }
      // After any other error it is open whether something runs: the handle stays, and the next look goes by it.
      throw error;
    }
  }

  /** Takes a machine under control and listens for its end. */
  #take(guest: Guest, machine: Machine): void {
    guest.machine = machine;
    void machine.ended.then((ending) => {
      if (this.#dismissed.has(machine) || this.#closed) return;
      const { workspaceId, epoch } = guest.identity;
      // A look may have found it absent already, and a new machine may stand in its place.
      if (guest.machine === machine) this.#markEnded(guest, ending);
      this.#feed.publish({ workspaceId, epoch, ...ending });
    });
  }

  #markEnded(guest: Guest, ending: Ending): void {
    this.#markAbsent(guest, ending.detail).catch((error: unknown) =>
      this.deps.logger.warn(
        { ...guest.identity, error: message(error) },
        'the end of a guest could not be written down',
      ),
    );
  }

  async #unfreeze({ guest, machine }: Living): Promise<void> {
    await machine.unfreeze();
    const { workspaceId, epoch } = guest.identity;
    const now = await this.#look(guest, epoch);
    if (now?.power === 'paused')
      throw new Error(`the guest of workspace ${workspaceId} stays paused although it was told to run`);
  }

  /** A guest hears only while it runs. That it does not listen is no failure: its power is taken next. */
  async #awaitShutDown({ machine, power, guest }: Living, graceMs: number): Promise<void> {
    const over = new AbortController();
    try {
      if (power === 'paused') await machine.unfreeze();
      await machine.askToShutDown();
      await Promise.race([machine.ended, this.deps.timers.sleep(graceMs, over.signal)]);
    } catch (error) {
      this.deps.logger.warn({ ...guest.identity, error: message(error) }, 'the guest could not be asked to shut down');
    } finally {
      over.abort();
    }
  }

  /** Ends a machine because that was asked for, so its end is no event; `farewell` comes before its power is taken. */
  async #dismiss(guest: Guest, machine: Machine, farewell?: () => Promise<void>): Promise<void> {
    this.#dismissed.add(machine);
    try {
      await farewell?.();
      await machine.takePower();
    } catch (error) {
      this.#dismissed.delete(machine);
      throw error;
    }
    await this.#markAbsent(guest, null);
  }

  #markAbsent(guest: Guest, cause: string | null): Promise<void> {
    guest.machine = null;
    guest.handle = null;
    guest.cause = cause;
    return this.#write(guest);
  }

  #write(guest: Guest): Promise<void> {
    const { workspaceId, epoch, memoryMiB, cpus, directory } = guest.identity;
    const { handle, cause } = guest;
    const { outlivesAgent } = this.vmm;
    const marker: Marker = { format: 1, workspaceId, epoch, memoryMiB, cpus, handle, outlivesAgent, cause };
    const before = guest.written.catch(() => undefined); // its own caller was told
    guest.written = before.then(() => this.vmm.markers.write(directory, marker));
    return guest.written;
  }

  /** Asked once; asked again only where it failed, for a VMM may be installed while the agent runs. */
  #identify(): Promise<VmmIdentity> {
    this.#identity ??= this.vmm.identify().catch((error: unknown) => {
      this.#identity = undefined;
      throw error;
    });
    return this.#identity;
  }
}

function refuseForeign(from: HotImageFile, type: VmmType, identity: VmmIdentity): void {
  const theirs = `${from.vmmType} ${from.vmmVersion} ${from.machine}`;
  const ours = `${type} ${identity.version} ${identity.machine}`;
  if (theirs !== ours)
    throw new IncompatibleHotImage(`the hot image ${from.file} belongs to ${theirs}; here is ${ours}`);
}

function identityOf({ workspaceId, epoch, directory, memoryMiB, cpus }: GuestSpec): GuestIdentity {
  return { workspaceId, epoch, directory, memoryMiB, cpus };
}

function wrongEpoch(guest: Guest, asked: number): WrongEpoch {
  return new WrongEpoch(guest.identity.workspaceId, asked, guest.identity.epoch);
}

function absent(cause: string | null): GuestObservation {
  return cause === null ? { power: 'absent' } : { power: 'absent', cause };
}

function profile(type: VmmType, identity: VmmIdentity, accelerator: string) {
  const { version, architectures, capabilities } = identity;
  return { type, version, accelerator, architectures, capabilities };
}

function proof(ms: number, accelerator: string, failures: readonly string[]): string {
  const proven = `the tiny guest's first heartbeat came after ${Math.round(ms)} ms under ${accelerator}`;
  return failures.length === 0 ? proven : `${proven} (${failures.join('; ')})`;
}

function message(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
