/** A guest's serial console, as the ledger passes it on. */
import type { SerialView } from '@vw/contracts';
import type { Command } from 'commander';
import { resolveWorkspace } from '../resolve.js';
import type { Perform, Session } from '../session.js';
import { sleep } from '../time.js';
import { count } from '../values.js';

const LOOK_AGAIN_MS = 500;

export function addConsoleCommand(program: Command, perform: Perform): void {
  program
    .command('serial <id>')
    .summary('print the guest’s serial console')
    .description('Prints what the guest wrote to its serial console since it was deployed.')
    .option('-f, --follow', 'go on until interrupted')
    .option('--from <byte>', 'begin there', count, 0)
    .action(perform(serial));
}

async function serial(
  session: Session,
  { follow, from }: { follow?: true; from: number },
  typed: string,
): Promise<void> {
  const { client, output, io } = session;
  const path = `v1/workspaces/${encodeURIComponent(await resolveWorkspace(client, typed))}/serial`;
  const whole: SerialView = { text: '', next: from };
  for (;;) {
    const piece = await client.view<SerialView>('next', path, { from: whole.next });
    const arrived = piece.next !== whole.next && piece.text !== '';
    whole.next = piece.next;
    if (follow && arrived && output.json) await output.line(piece, () => piece.text);
    else if (!output.json) await output.verbatim(piece.text);
    else whole.text += piece.text;
    if (arrived) continue;
    if (!follow) break;
    await sleep(LOOK_AGAIN_MS, io.interrupted);
  }
  if (output.json) await output.answer(whole, () => whole.text);
}
