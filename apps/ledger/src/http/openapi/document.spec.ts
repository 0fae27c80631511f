/** The document's table against the routes that the server really registers, in both directions. */
import { silentLogger } from '@vw/runtime';
import { expect, it } from 'vitest';
import type { Ledger } from '../../ledger.js';
import { createHttpServer } from '../server.js';
import { openApiDocument } from './document.js';

it('lists exactly the routes that the server has', async () => {
  const app = await createHttpServer({ ports: { logger: silentLogger } } as unknown as Ledger);
  const server = app.getHttpAdapter().getInstance();
  const real = routesOf(server.printRoutes({ commonPrefix: false }));
  const documented = Object.entries(openApiDocument().paths).flatMap(([path, methods]) =>
    Object.keys(methods).map((method) => `${method.toUpperCase()} ${path}`),
  );
  expect(real.toSorted()).toEqual(documented.toSorted());
  await app.close();
});

/** From Fastify's tree of routes, one line a segment, to one line a route. */
function routesOf(tree: string): string[] {
  const path: string[] = [];
  const routes: string[] = [];
  for (const line of tree.split('\n')) {
    const found = /^([│├└─\s]*)(\S+)(?: \(([A-Z, ]+)\))?/.exec(line);
    if (found === null || found[2] === undefined) continue;
    const depth = Math.max(0, found[1]!.length / 4 - 1);
    path.splice(depth, path.length, found[2]);
    for (const method of (found[3] ?? '').split(', ').filter((name) => name === 'GET' || name === 'POST')) {
      routes.push(`${method} ${path.join('').replaceAll(/:(\w+)/g, '{$1}')}`);
    }
  }
  return routes;
}
