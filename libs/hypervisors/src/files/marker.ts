/** Markers as JSON files, one per directory and VMM: `vmm-<type>.json`. */
import { mkdir, readdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Marker, MarkerStore } from '../ensuring/vmm.js';
import { ObservationImpossible } from '../errors.js';
import type { VmmType } from '../port.js';
import { writeDurably } from '@vw/runtime';
import { CONSOLE_FILE, KEPT_PREFIX } from './names.js';

const MARKER_NAME = /^vmm-(v86|qemu|simulated)\.json$/;

export function markerFile(directory: string, type: VmmType): string {
  return join(directory, `${KEPT_PREFIX}${type}.json`);
}

/** @throws ObservationImpossible: what is not understood may speak of a live guest */
export function parseMarker(file: string, text: string): Marker {
  let marker: Partial<Marker> | null;
  try {
    marker = JSON.parse(text) as Partial<Marker> | null;
  } catch (cause) {
    throw new ObservationImpossible(`the marker ${file} is not JSON`, { cause });
  }
  if (marker?.format !== 1 || typeof marker.workspaceId !== 'string' || !Number.isSafeInteger(marker.epoch)) {
    throw new ObservationImpossible(`the marker ${file} is of a format that this version does not know`);
  }
  return marker as Marker;
}

/** Whether this file is a marker of another VMM than `type`: a host whose VMM was changed may still have the old one's guests. */
export function isStrangersMarker(name: string, type: VmmType): boolean {
  return (MARKER_NAME.exec(name)?.[1] ?? type) !== type;
}

/** @throws ObservationImpossible: sweeping it away would leave a machine that nobody finds again */
export function refuseLiveStranger(file: string, marker: Marker): void {
  if (marker.handle === null || !marker.outlivesAgent) return;
  throw new ObservationImpossible(
    `${file} speaks of a guest that may be alive under another VMM; stop it with that one first`,
  );
}

export function isKept(name: string): boolean {
  return name.startsWith(KEPT_PREFIX);
}

export function markersOnDisk(type: VmmType): MarkerStore {
  return {
    async read(directory) {
      const file = markerFile(directory, type);
      try {
        return parseMarker(file, await readFile(file, 'utf8'));
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
        if (error instanceof ObservationImpossible) throw error;
        throw new ObservationImpossible(`the marker ${file} cannot be read`, { cause: error });
      }
    },
    async write(directory, marker) {
      await mkdir(directory, { recursive: true });
      await writeDurably(markerFile(directory, type), `${JSON.stringify(marker, null, 2)}\n`);
    },
    async sweep(directory, console) {
      const names = await readdir(directory).catch(() => []);
      for (const name of names) {
        const file = join(directory, name);
        if (isStrangersMarker(name, type)) refuseLiveStranger(file, parseMarker(file, await readFile(file, 'utf8')));
      }
      for (const name of names) {
        if (isKept(name) || (console && name === CONSOLE_FILE))
          await rm(join(directory, name), { recursive: true, force: true });
      }
    },
  };
}
