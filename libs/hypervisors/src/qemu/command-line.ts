/** QEMU's command line for one guest: everything that the machine is, and nothing that a default or a configuration file could add. */
import { join } from 'node:path';
import { CONSOLE_FILE, KEPT_PREFIX } from '../files/names.js';
import type { GuestSpec } from '../port.js';
import type { GuestSockets } from './sockets.js';

export const PROGRAM = 'qemu-system-x86_64';
/** QEMU's own words, where it has any: warnings and last ones. */
export const LOG_FILE = `${KEPT_PREFIX}qemu.log`;
/** For the operator; the adapter itself finds its process by an id that is never used again. */
export const PID_FILE = `${KEPT_PREFIX}qemu.pid`;

export interface Launch {
  readonly spec: GuestSpec;
  /** The machine's UUID: no other QEMU's command line begins with it. */
  readonly uuid: string;
  readonly machine: string;
  readonly accelerator: string;
  readonly sockets: GuestSockets;
  /** Wait, frozen, for a state on the state socket. */
  readonly continued: boolean;
}

export function commandLine({ spec, uuid, machine, accelerator, sockets, continued }: Launch): readonly string[] {
  return [
    // First, for that is where its process is sought: what follows has words of the guest's owner in it.
    ...['-uuid', uuid],
    ...['-name', option(`workspace ${spec.workspaceId} epoch ${spec.epoch}`)],
    ...['-machine', machine],
    ...['-accel', accelerator],
    // One processor model under every accelerator, so that a state taken under one continues under the other.
    ...['-cpu', 'qemu64'],
    ...['-smp', String(spec.cpus)],
    ...['-m', `${spec.memoryMiB}M`],
    ...['-nodefaults', '-no-user-config', '-display', 'none'],
    // A guest that reboots, as one with a triple fault does, is gone, and SHUTDOWN's reason tells it from one that shut down.
    ...['-action', 'reboot=shutdown,shutdown=poweroff,panic=shutdown'],
    ...[
      '-chardev',
      `file,id=console,append=on,path=${option(join(spec.directory, CONSOLE_FILE))}`,
      '-serial',
      'chardev:console',
    ],
    ...['-qmp', `unix:${option(sockets.control)},server=on,wait=off`],
    ...['-pidfile', join(spec.directory, PID_FILE)],
    ...boot(spec),
    ...(continued ? ['-incoming', `unix:${sockets.state}`, '-S'] : []),
  ];
}

function boot({ boot: { kind, file }, commandLine: append }: GuestSpec): readonly string[] {
  switch (kind) {
    case 'kernel':
      return ['-kernel', file, '-append', append];
    case 'disk':
      return ['-drive', `file=${option(file)},format=raw,if=ide`];
  }
}

/** A comma ends a value in QEMU's option lists; doubled it stands for itself. */
function option(value: string): string {
  return value.replaceAll(',', ',,');
}
