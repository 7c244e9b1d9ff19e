/** @module The OpenAPI document at `/openapi.json`, and Swagger UI at `/docs`, served from the installed package. */

import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import type { OpenAPIHono } from '@hono/zod-openapi';
import { ServeError } from '../../runtime/index.ts';
import type { AddRoute } from './managed-routes.ts';

const ASSETS: Readonly<Record<string, string>> = {
  'swagger-ui.css': 'text/css; charset=utf-8',
  'swagger-ui-bundle.js': 'text/javascript; charset=utf-8',
};

const READER = `// Shows the description of this service.
window.ui = SwaggerUIBundle({ url: '/openapi.json', dom_id: '#docs', deepLinking: true });
`;

function page(title: string): string {
  return `<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8">
    <meta name="viewport" content="width=device-width, initial-scale=1">
    <title>${title}</title>
    <link rel="stylesheet" href="/docs/swagger-ui.css">
  </head>
  <body>
    <nav><a href="/playground">Playground</a>: a page to try the models</nav>
    <div id="docs"></div>
    <noscript>The description of this API is at <a href="/openapi.json">/openapi.json</a>.</noscript>
    <script src="/docs/swagger-ui-bundle.js"></script>
    <script src="/docs/reader.js"></script>
  </body>
</html>
`;
}

export interface ApiInfo {
  readonly title: string;
  readonly version: string;
  readonly description: string;
}

/** Adds the documentation routes. Must be called after every other route is described. */
export function docsRoutes(add: AddRoute, app: OpenAPIHono, info: ApiInfo): void {
  const folder = dirname(createRequire(import.meta.url).resolve('swagger-ui-dist/package.json'));
  const description = JSON.stringify(
    app.getOpenAPI31Document({ openapi: '3.1.0', info: { ...info } }),
  );
  add('/openapi.json', (c) => c.body(description, 200, { 'Content-Type': 'application/json' }));
  add('/docs', (c) => c.html(page(info.title)));
  add('/docs/reader.js', (c) =>
    c.body(READER, 200, { 'Content-Type': ASSETS['swagger-ui-bundle.js']! }),
  );
  for (const [name, type] of Object.entries(ASSETS)) {
    add(`/docs/${name}`, async (c) => {
      const content = await readFile(join(folder, name)).catch((cause: unknown) => {
        throw new ServeError('INTERNAL', 'The documentation reader is not installed.', { cause });
      });
      return c.body(new Uint8Array(content), 200, { 'Content-Type': type });
    });
  }
}
