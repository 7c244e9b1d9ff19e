/**
 * The playground at `/playground`: a page on which people try the models of a service. It is made of the files in `page/`,
 * which browsers run as they are. A panel is a file of `page/panels/`, and a service names those that it has.
 *
 * @module
 */

import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { extname, join } from 'node:path';
import type { Runtime } from '../../runtime/index.ts';
import type { AddRoute } from '../http/managed-routes.ts';
import { playgroundModels } from './models.ts';

const TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
};

/**
 * The page runs only its own scripts, and talks only to the server that it comes from. `blob:` are the pictures that people choose,
 * which the page shows; what the camera sees needs no source.
 */
const POLICY = [
  "default-src 'none'",
  ...["script-src 'self'", "style-src 'self'", "connect-src 'self'", "img-src 'self' data: blob:"],
  ...["base-uri 'none'", "form-action 'none'", "frame-ancestors 'none'"],
].join('; ');

/** What a service shows on the page. */
export interface Playground {
  /** The name of the service. */
  readonly title: string;
  /** Names of files in `page/panels/`, in the order of the page. */
  readonly panels: readonly string[];
}

/** Adds the routes of the page. */
export function playgroundRoutes(
  add: AddRoute,
  runtime: Runtime,
  { title, panels }: Playground,
): void {
  const folder = join(import.meta.dirname, 'page');
  const files = readdirSync(folder, { recursive: true, encoding: 'utf8' });
  for (const name of files.filter((each) => extname(each) in TYPES)) {
    const content = readFileSync(join(folder, name));
    const path = name === 'index.html' ? '/playground' : `/playground/${name}`;
    addFile(add, path, content, TYPES[extname(name)]!);
  }
  add('/playground/panels.json', (c) => c.json({ title, panels }));
  add('/playground/models.json', (c) => c.json({ models: playgroundModels(runtime) }));
}

/** A browser asks again each time, and gets the file only if it has changed. */
function addFile(add: AddRoute, path: string, content: Buffer<ArrayBuffer>, type: string): void {
  const etag = `"${createHash('sha256').update(content).digest('base64url').slice(0, 22)}"`;
  const headers = {
    'Content-Security-Policy': POLICY,
    'X-Content-Type-Options': 'nosniff',
    'Referrer-Policy': 'no-referrer',
    'Cache-Control': 'no-cache',
    ETag: etag,
  };
  add(path, (c) =>
    c.req.header('if-none-match') === etag
      ? c.body(null, 304, headers)
      : c.body(content, 200, { ...headers, 'Content-Type': type }),
  );
}
