/**
 * Where a guest's sockets lie. The path of a Unix socket may have 107 bytes (unix(7), sun_path), a workspace's directory more: then they lie
 * in a short directory of our own, named after the workspace's.
 */
import { createHash } from 'node:crypto';
import { lstat, mkdir, rm } from 'node:fs/promises';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import { KEPT_PREFIX } from '../files/names.js';

const LONGEST_PATH_BYTES = 107;

export interface GuestSockets {
  /** QEMU listens here for commands. */
  readonly control: string;
  /** A guest's state goes through this one, out of QEMU or into it. */
  readonly state: string;
}

export function socketsOf(directory: string): GuestSockets {
  const beside = within(join(directory, KEPT_PREFIX));
  if (Buffer.byteLength(beside.control) <= LONGEST_PATH_BYTES) return beside;
  const name = createHash('sha256').update(directory).digest('hex').slice(0, 16);
  return within(join(shortDirectory(), `${name}-`));
}

/**
 * Removes dead sockets, and makes sure of the short directory where it is needed: in a place that everyone may write to, nobody else may
 * have made it, or they would command our guests.
 */
export async function prepareSockets(sockets: GuestSockets): Promise<void> {
  await removeSockets(sockets);
  if (!sockets.control.startsWith(shortDirectory())) return;
  await mkdir(shortDirectory(), { recursive: true, mode: 0o700 });
  const { uid, mode } = await lstat(shortDirectory());
  if (uid !== userInfo().uid || (mode & 0o077) !== 0)
    throw new Error(`${shortDirectory()} is open to others than this user`);
}

export async function removeSockets({ control, state }: GuestSockets): Promise<void> {
  await rm(control, { force: true });
  await rm(state, { force: true });
}

function within(prefix: string): GuestSockets {
  return { control: `${prefix}qmp.sock`, state: `${prefix}ram.sock` };
}

function shortDirectory(): string {
  return join(process.env['XDG_RUNTIME_DIR'] ?? tmpdir(), `vw-qemu-${userInfo().uid}`);
}
