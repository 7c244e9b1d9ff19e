/** @module What a service gives to its host. It does not listen, so tests call `app.request()`. */

import type { OpenAPIHono } from '@hono/zod-openapi';
import type { RequestHandler } from '../../runtime/index.ts';

export interface ServiceApp {
  /** Every route, through Hono. */
  readonly fetch: OpenAPIHono['fetch'];
  /** The same for tests, which need no port. */
  readonly request: OpenAPIHono['request'];
  /** The infer routes once more by their path, for a host that can match paths itself. */
  readonly fastRoutes: Readonly<Record<string, RequestHandler>>;
}
