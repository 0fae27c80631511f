/** How the service is: alive, ready, counted, documented. */
import { Controller, Get, Headers, Inject, Res } from '@nestjs/common';
import type { FastifyReply } from 'fastify';
import type { Ledger } from '../../ledger.js';
import { openApiDocument } from '../openapi/document.js';
import { openApiPage } from '../openapi/page.js';
import { LEDGER } from '../reading.js';

@Controller()
export class ServiceController {
  constructor(@Inject(LEDGER) private readonly ledger: Ledger) {}

  /** Alive: the process answers. */
  @Get('healthz')
  alive(): { status: 'ok' } {
    return { status: 'ok' };
  }

  /** Ready: the views have caught up with what the log held at the start, and the store answers, so that commands are taken. */
  @Get('readyz')
  async ready(@Res() reply: FastifyReply): Promise<void> {
    const status = !this.ledger.isReady() ? 'starting' : (await this.ledger.storeAnswers()) ? 'ready' : 'store-away';
    const position = this.ledger.ports.views.position();
    await reply.status(status === 'ready' ? 200 : 503).send({ status, position });
  }

  @Get('metrics')
  async metrics(@Res() reply: FastifyReply): Promise<void> {
    const { metrics } = this.ledger;
    await reply.header('content-type', metrics.contentType).send(await metrics.text());
  }

  /** The OpenAPI document: a page for people, JSON for programs. */
  @Get('docs')
  async docs(@Headers('accept') accept: string | undefined, @Res() reply: FastifyReply): Promise<void> {
    const document = openApiDocument();
    if (/\btext\/html\b/.test(accept ?? '')) {
      await reply.header('content-type', 'text/html; charset=utf-8').send(openApiPage(document));
    } else await reply.send(document);
  }
}
