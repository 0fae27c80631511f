/** The OpenAPI document as one plain page: what there is to ask for, and what for. No script, no style from elsewhere. */
import type { OpenApiDocument } from './document.js';

const escaped = (text: string) => text.replace(/[&<>"]/g, (sign) => `&#${sign.codePointAt(0)};`);

export function openApiPage({ info, paths }: OpenApiDocument): string {
  const rows = Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(
      ([method, { summary }]) =>
        `<tr><td><code>${method.toUpperCase()}</code></td><td><code>${escaped(path)}</code></td><td>${escaped(summary)}</td></tr>`,
    ),
  );
  return `<!doctype html>
<html lang="en"><meta charset="utf-8"><title>${escaped(info.title)} ${escaped(info.version)}</title>
<style>body{font:16px/1.5 system-ui;margin:2rem auto;max-width:60rem;padding:0 1rem}td{padding:.2rem .8rem .2rem 0;vertical-align:top}</style>
<h1>${escaped(info.title)} ${escaped(info.version)}</h1><p>${escaped(info.description)}</p>
<p>For programs: the same address with <code>Accept: application/json</code> is an OpenAPI 3.1 document.</p>
<table>${rows.join('\n')}</table></html>
`;
}
