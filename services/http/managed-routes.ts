/** @module Adds the routes other than infer routes, with middleware of Hono, whose cost does not matter there. */

import type { OpenAPIHono } from '@hono/zod-openapi';
import type { Context, Handler, MiddlewareHandler } from 'hono';
import { METHODS } from 'hono/router';
import { type Runtime, ServeError } from '../../runtime/index.ts';
import { type ErrorBody, errorResponse, isFault, STATUS, toServeError } from './error-response.ts';
import { requestIds } from './request-id.ts';
import { createRecorder } from './request-metrics.ts';
import { refuseOtherSites } from './same-site.ts';

/** The route label of requests to unknown paths. */
const UNMATCHED = 'unmatched';

/** `GET`; `QUERY`, a POST that only reads; the others change state and refuse requests from pages of other sites. */
export type RouteKind = 'GET' | 'QUERY' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';

/**
 * Adds a route whose requests are authenticated and counted, and whose responses have a request id.
 *
 * @param kind Default: `GET`.
 * @param types Types of bodies that the route takes besides JSON, such as `multipart/form-data`.
 */
export type AddRoute = (
  path: string,
  handler: Handler,
  kind?: RouteKind,
  types?: readonly string[],
) => void;

/**
 * Returns the function that adds routes. Also sets the app's responses to unknown routes, wrong methods and uncaught
 * errors.
 *
 * @param unmatchedBodies By the beginning of a path: the bodies of errors of unknown routes and wrong methods.
 */
export function managedRoutes(
  app: OpenAPIHono,
  runtime: Runtime,
  service: string,
  unmatchedBodies: ReadonlyMap<string, ErrorBody>,
): AddRoute {
  const { access, clock, config, log } = runtime;
  const newId = requestIds();
  const idOf = (c: Context) => newId(c.req.header('x-request-id') ?? null);
  const recordUnmatched = createRecorder(runtime, service, UNMATCHED);

  app.notFound((c) => {
    const allowed = METHODS.map((method) => method.toUpperCase()).filter(
      (method) => app.router.match(method, c.req.path)[0].length > 0,
    );
    const error = unmatched(c, allowed);
    recordUnmatched(c.req.method, STATUS[error.code], clock.now());
    const headers = allowed.length > 0 ? { Allow: allowed.join(', ') } : {};
    const id = idOf(c);
    const other = [...unmatchedBodies].find(([prefix]) => c.req.path.startsWith(prefix))?.[1];
    return errorResponse(error, id, headers, other?.(error, id));
  });

  app.onError((thrown, c) => {
    const error = toServeError(thrown);
    const id = idOf(c);
    if (isFault(error)) log.error({ request_id: id, path: c.req.path, err: thrown }, 'failed');
    return errorResponse(error, id);
  });

  return (path, handler, kind = 'GET', types = []) => {
    const method = kind === 'QUERY' ? 'POST' : kind;
    const changes = kind !== 'GET' && kind !== 'QUERY';
    const record = createRecorder(runtime, service, path);
    const counted: MiddlewareHandler = async (c, next) => {
      const startedMs = clock.now();
      const { headers } = c.req.raw;
      const principal = access.authenticate(headers);
      const refusal =
        (principal instanceof ServeError ? principal : undefined) ??
        (changes ? refuseOtherSites(headers, config.host, types) : undefined);
      // An error that is thrown here would not be counted, while Hono converts those of handlers to responses.
      if (refusal === undefined) await next();
      else c.res = errorResponse(refusal, idOf(c));
      if (!c.res.headers.has('X-Request-Id')) c.header('X-Request-Id', idOf(c));
      record(c.req.method, c.res.status, startedMs);
    };
    app.on(method, path, counted, handler);
  };
}

function unmatched(c: Context, allowed: readonly string[]): ServeError {
  if (allowed.length === 0) {
    return new ServeError(
      'ROUTE_NOT_FOUND',
      'There is no such route; the routes are listed at /docs, and models can be tried at /playground.',
    );
  }
  return new ServeError(
    'METHOD_NOT_ALLOWED',
    `This route does not take ${c.req.method}; use ${allowed.join(' or ')}.`,
  );
}
