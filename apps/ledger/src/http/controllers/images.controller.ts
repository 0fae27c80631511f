/** `/v1/images`: the pool. An image arrives as the bytes of the request, streamed to disk and never held in memory. */
import { createWriteStream } from 'node:fs';
import { mkdtemp, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { Controller, Get, HttpCode, Inject, Post, Query, Req } from '@nestjs/common';
import type { ImageView, Page } from '@vw/contracts';
import type { Principal } from '@vw/domain';
import { ImageRepositoryUnavailable } from '@vw/images';
import type { FastifyRequest } from 'fastify';
import { isMultibootKernel } from '../../images/multiboot.js';
import type { AddedImage } from '../../images/image-pool.js';
import type { Ledger } from '../../ledger.js';
import { Caller } from '../caller.js';
import { AddImageDto, AfterDto } from '../dto/queries.dto.js';
import { problem } from '../problem.js';
import { LEDGER, seen } from '../reading.js';

@Controller('v1/images')
export class ImagesController {
  constructor(@Inject(LEDGER) private readonly ledger: Ledger) {}

  @Get()
  async list(@Query() query: AfterDto): Promise<Page<ImageView>> {
    await seen(this.ledger, query.after);
    const { views } = this.ledger.ports;
    const items = views.images().map(({ state }): ImageView => {
      const { imageId, name, imageKind, digest, sizeBytes, architecture, kind } = state;
      return {
        imageId,
        name,
        kind: imageKind,
        digest,
        sizeBytes,
        architecture,
        status: kind === 'none' ? 'retired' : kind,
      };
    });
    return { items, position: views.position() };
  }

  @Post()
  @HttpCode(201)
  async add(
    @Query() query: AddImageDto,
    @Req() request: FastifyRequest,
    @Caller() principal: Principal,
  ): Promise<AddedImage> {
    const { body } = request;
    if (!(body instanceof Readable)) {
      throw problem(
        415,
        'UNSUPPORTED_TYPE',
        'An image is sent as its raw bytes, with Content-Type application/octet-stream',
      );
    }
    const folder = await mkdtemp(join(this.ledger.uploads, 'upload-')).catch((error: unknown) => refuse(body, error));
    try {
      const file = join(folder, 'image');
      await receive(body, file);
      const { name, kind = 'auto', architecture = 'x86' } = query;
      if ((await stat(file)).size === 0) throw problem(422, 'INVALID', `The image ${name} has no bytes`);
      const kernel = await isMultibootKernel(file);
      if (kind === 'kernel' && !kernel) {
        throw problem(
          422,
          'INVALID',
          `${name} has no multiboot header in its first 8 KiB; a raw disk is added with kind=disk`,
          {
            problems: [{ code: 'kind', message: 'not a multiboot kernel', where: { field: 'kind' } }],
          },
        );
      }
      const judged = kind === 'auto' ? (kernel ? 'kernel' : 'disk') : kind;
      return await this.ledger.imagePool.add(file, { name, kind: judged, architecture }, principal);
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  }
}

async function receive(body: Readable, file: string): Promise<void> {
  await pipeline(body.iterator({ destroyOnReturn: false }), createWriteStream(file)).catch((error: unknown) =>
    refuse(body, error),
  );
}

/** The rest is read and dropped: on a connection that nobody reads, the client's next request would wait for ever. */
function refuse(body: Readable, cause: unknown): never {
  body.resume();
  if (['ENOSPC', 'EDQUOT', 'EROFS', 'EIO'].includes((cause as NodeJS.ErrnoException).code ?? '')) {
    throw new ImageRepositoryUnavailable('the image could not be received', { cause });
  }
  throw problem(400, 'BAD_REQUEST', 'The image did not arrive whole', {}, { cause: cause as Error });
}
