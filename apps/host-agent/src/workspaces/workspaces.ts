/**
 * The workspaces' folders on this host:
 *
 *     workspaces/<id>/deployment.json   what is deployed; without it nothing is, and no guest can be
 *     workspaces/<id>/boot.img          a private copy of the image
 *     workspaces/<id>/hot.img           a paused guest's state, brought or taken here
 *     workspaces/<id>/vmm-*, serial.log the VMM adapter's own
 *
 * `deployment.json` comes last and goes first: whatever else lies in a folder without one is a leftover.
 */
import { mkdir, readdir, readFile, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Id } from '@vw/contracts';
import type { GuestSpec } from '@vw/hypervisors';
import { type Deployment, type Found, parseDeployment } from './deployment.js';
import { moveDurably, synchroniseFolder, writeDurably } from '@vw/runtime';

const WORKSPACE_ID = /^[A-Za-z0-9_-]{1,64}$/;

export class Workspaces {
  private constructor(private readonly directory: string) {}

  static async open(directory: string): Promise<Workspaces> {
    await mkdir(directory, { recursive: true });
    return new Workspaces(directory);
  }

  /** @throws RangeError for what is no workspace id, before it becomes part of a path */
  folder(workspaceId: Id): string {
    if (!WORKSPACE_ID.test(workspaceId)) throw new RangeError(`${JSON.stringify(workspaceId)} is no workspace id`);
    return join(this.directory, workspaceId);
  }

  bootFile(workspaceId: Id): string {
    return join(this.folder(workspaceId), 'boot.img');
  }

  hotImageFile(workspaceId: Id): string {
    return join(this.folder(workspaceId), 'hot.img');
  }

  /** Where a hot image is made before it takes its place. */
  freshHotImageFile(workspaceId: Id): string {
    return join(this.folder(workspaceId), 'hot.img.fresh');
  }

  /** Every folder that bears a workspace's id, whatever is in it. */
  async ids(): Promise<readonly Id[]> {
    const entries = await readdir(this.directory, { withFileTypes: true });
    return entries.filter((entry) => entry.isDirectory() && WORKSPACE_ID.test(entry.name)).map(({ name }) => name);
  }

  async find(workspaceId: Id): Promise<Found> {
    try {
      return parseDeployment(workspaceId, await readFile(this.#deploymentFile(workspaceId), 'utf8'));
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code === 'ENOENT' || code === 'ENOTDIR') return { kind: 'nothing' };
      throw error;
    }
  }

  async make(workspaceId: Id): Promise<void> {
    await mkdir(this.folder(workspaceId), { recursive: true, mode: 0o700 });
    await synchroniseFolder(this.directory);
  }

  async write(deployment: Deployment): Promise<void> {
    await writeDurably(this.#deploymentFile(deployment.workspaceId), `${JSON.stringify(deployment, null, 2)}\n`);
  }

  /** When the copy of the image was last written, in nanoseconds since the Unix epoch. */
  async bootFileWrittenNs(workspaceId: Id): Promise<string> {
    return String((await stat(this.bootFile(workspaceId), { bigint: true })).mtimeNs);
  }

  /** Its bytes are synchronised already: the hypervisor has written them so. */
  async keepFreshHotImage(workspaceId: Id): Promise<void> {
    await moveDurably(this.freshHotImageFile(workspaceId), this.hotImageFile(workspaceId));
  }

  /** Nothing is deployed as soon as `deployment.json` is gone; a crash before the rest is gone leaves a leftover. */
  async remove(workspaceId: Id): Promise<void> {
    const folder = this.folder(workspaceId);
    await rm(this.#deploymentFile(workspaceId), { force: true });
    await rm(folder, { recursive: true, force: true });
    await synchroniseFolder(this.directory);
  }

  guestSpec(deployment: Deployment): GuestSpec {
    const { workspaceId, epoch, image, machine } = deployment;
    return {
      workspaceId,
      epoch,
      directory: this.folder(workspaceId),
      memoryMiB: machine.memoryMiB,
      cpus: machine.cpus,
      boot: { kind: image.kind, file: this.bootFile(workspaceId) },
      commandLine: machine.commandLine,
    };
  }

  #deploymentFile(workspaceId: Id): string {
    return join(this.folder(workspaceId), 'deployment.json');
  }
}
