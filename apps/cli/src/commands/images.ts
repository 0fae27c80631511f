/** The image repository: what it has, and putting something in. */
import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import type { ImageView } from '@vw/contracts';
import { type Command, Option } from 'commander';
import { UsageFailure, whyUnreadable } from '../failures.js';
import type { Progress } from '../output/progress.js';
import type { Column } from '../output/table.js';
import { shortDigest, size } from '../output/text.js';
import type { Perform, Session } from '../session.js';
import { readPages, tellPage } from './paging.js';

export function addImageCommands(program: Command, perform: Perform): void {
  const images = program
    .command('images')
    .alias('image')
    .summary('list images, or add one')
    .description('The image repository.');
  images.command('ls', { isDefault: true }).summary('list images').description('Lists images.').action(perform(list));
  images
    .command('add <file>')
    .summary('add an image')
    .description('Streams an image file to the repository, which names it by its digest.')
    .requiredOption('--name <name>', 'what descriptions call it')
    .addOption(new Option('--kind <kind>', 'what the file is').choices(['kernel', 'disk', 'auto']).default('auto'))
    .option('--arch <architecture>', 'CPU architecture, as JSDL names it (default: the ledger’s)')
    .action(perform(add));
}

async function list(session: Session): Promise<void> {
  const page = await readPages<ImageView>(session, 'v1/images', {}, { all: true });
  const columns: Column<ImageView>[] = [
    { head: 'NAME', cell: ({ name }) => name },
    { head: 'KIND', cell: ({ kind }) => kind },
    { head: 'ARCH', cell: ({ architecture }) => architecture },
    { head: 'SIZE', cell: ({ sizeBytes }) => size(sizeBytes), align: 'right' },
    {
      head: 'STATUS',
      cell: ({ status }) => status,
      style: ({ status }) => (status === 'corrupted' ? 'red' : undefined),
    },
    { head: 'DIGEST', cell: ({ digest }) => shortDigest(digest) },
  ];
  await tellPage(session, page, columns, 'no images: vw images add puts one in');
}

async function add(
  session: Session,
  options: { name: string; kind: string; arch?: string },
  file: string,
): Promise<void> {
  const { client, output, commandId } = session;
  const bytes = await sizeOf(file);
  const progress = output.progress();
  try {
    const query = { name: options.name, kind: options.kind, architecture: options.arch };
    const image = await client.addImage(upload(file, bytes, progress), query, commandId);
    await progress.clear();
    await output.answer(image, () => `added ${image.name}: ${image.kind} of ${size(image.sizeBytes)}, ${image.digest}`);
  } finally {
    await progress.clear();
  }
}

async function sizeOf(file: string): Promise<number> {
  try {
    const found = await stat(file);
    if (found.isFile()) return found.size;
  } catch (cause) {
    throw new UsageFailure(`cannot read the image ${file}: ${whyUnreadable(cause)}`, { cause });
  }
  throw new UsageFailure(`cannot read the image ${file}: it is no regular file`);
}

async function* upload(file: string, totalBytes: number, progress: Progress): AsyncGenerator<Uint8Array> {
  let sentBytes = 0;
  for await (const chunk of createReadStream(file, { highWaterMark: 1_048_576 })) {
    const bytes = chunk as Uint8Array;
    yield bytes;
    sentBytes += bytes.byteLength;
    await progress.show(`sending ${file}:`, `${size(sentBytes)} of ${size(totalBytes)}`);
  }
}
