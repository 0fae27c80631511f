/** Puts one file again and again until it is killed, printing a line when it is ready and one for each put. Arguments: directory, file. */
import { openDirectoryRepository } from '@vw/images';
import { systemClock } from '@vw/runtime';

const [directory, file] = process.argv.slice(-2);
const repository = await openDirectoryRepository({ directory: directory!, clock: systemClock });
process.stdout.write('ready\n');
for (;;) {
  const said = await repository.put(file!, { kind: 'disk', name: 'victim' }).then(
    () => 'put\n',
    (cause: unknown) => `failed ${String(cause)}\n`,
  );
  process.stdout.write(said);
}
