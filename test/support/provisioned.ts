/** Whether the program that a test needs is on this machine, and what it means when it is not. */
import { accessSync, constants, existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';

/**
 * @returns whether `program` is there; where it is not, standard error names what is left out.
 * @throws Error where infra/servers/provision.sh would have put it there: in CI, and for root on Debian. There nothing may be left out.
 */
export function requireServer(program: string): boolean {
  if (isInstalled(program)) return true;
  const mustBeThere = process.env['CI'] === 'true' || (process.getuid?.() === 0 && existsSync('/etc/debian_version'));
  if (mustBeThere) throw new Error(`${program} is missing; infra/servers/provision.sh installs it`);
  process.stderr.write(
    `LEFT OUT: all that needs ${program}, which is not installed here and cannot be without root on Debian\n`,
  );
  return false;
}

function isInstalled(program: string): boolean {
  return (process.env['PATH'] ?? '').split(delimiter).some((folder) => {
    try {
      accessSync(join(folder, program), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}
