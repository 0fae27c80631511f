/** The HTTP server: Nest on Fastify, around a ledger that exists without them. No body larger than 1 MiB is held in memory. */
import 'reflect-metadata';
import { Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { CqrsModule } from '@nestjs/cqrs';
import { FastifyAdapter, type NestFastifyApplication } from '@nestjs/platform-fastify';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { Ledger } from '../ledger.js';
import { acceptBodies } from './bodies.js';
import { refuseForeignPages } from './caller.js';
import { CommandsController } from './controllers/commands.controller.js';
import { EventsController } from './controllers/events.controller.js';
import { ExecuteHandler } from './controllers/execute.js';
import { ImagesController } from './controllers/images.controller.js';
import { ReadsController } from './controllers/reads.controller.js';
import { ServiceController } from './controllers/service.controller.js';
import { WorkspacesController } from './controllers/workspaces.controller.js';
import { ProblemFilter } from './problem.filter.js';
import { LEDGER } from './reading.js';
import { validation } from './validation.js';

const bodyLimit = 1024 * 1024;

@Module({})
class HttpModule {}

/** Builds the application; the caller listens and closes. */
export async function createHttpServer(ledger: Ledger): Promise<NestFastifyApplication> {
  const problems = new ProblemFilter(ledger.ports.logger, ledger.storeElsewhere);
  const adapter = new FastifyAdapter({
    bodyLimit,
    forceCloseConnections: true,
    frameworkErrors: (error: unknown, request: FastifyRequest, reply: FastifyReply) =>
      problems.answer(error, request, reply),
  });
  const module = {
    module: HttpModule,
    imports: [CqrsModule.forRoot()],
    controllers: [
      WorkspacesController,
      CommandsController,
      ReadsController,
      ImagesController,
      EventsController,
      ServiceController,
    ],
    providers: [{ provide: LEDGER, useValue: ledger }, ExecuteHandler],
  };
  const app = await NestFactory.create<NestFastifyApplication>(module, adapter, { logger: false, bodyParser: false });
  const server = adapter.getInstance() as FastifyInstance;
  refuseForeignPages(server);
  acceptBodies(server);
  app.useGlobalPipes(validation);
  app.useGlobalFilters(problems);
  await app.init();
  return app;
}
