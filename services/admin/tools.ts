/** @module What the routes of the platform share: the stores, and how a changing call is read. */

import type { Context } from 'hono';
import type { z } from 'zod';
import { checkSchema, invalidArgument, type Platform, type Runtime } from '../../runtime/index.ts';
import { parseJson } from '../http/codec-json.ts';
import { controlBodies, type HandleControlBody } from '../http/control-body.ts';
import type { RouteBuilder } from '../http/service-definition.ts';
import { type Change, readChange } from './change.ts';

/** Maximum bytes of a body, where a route has no other limit. */
const SMALL_BODY_BYTES = 64 * 1024;

export interface AdminTools {
  readonly runtime: Runtime;
  readonly platform: Platform;
  readonly managed: RouteBuilder['managed'];
  readonly describe: RouteBuilder['describe'];
  /** Reads a body of at most `limit` bytes as text. */
  readonly body: HandleControlBody;
  /**
   * Handles a changing call with a JSON body; an empty body counts as `{}`.
   *
   * @param limit Maximum bytes of the body.
   * @throws {ServeError} `INVALID_ARGUMENT` with the first mistake, if the body does not have the schema
   */
  change<Schema extends z.ZodType>(
    c: Context,
    schema: Schema,
    handle: (body: z.output<Schema>, change: Change) => Promise<Response>,
    limit?: number,
  ): Promise<Response>;
}

/** @param builder That of a service with `needsStore`. */
export function adminTools({ runtime, managed, describe }: RouteBuilder): AdminTools {
  const { platform } = runtime;
  if (platform === undefined) throw new Error('The routes of the platform need a store');
  const body = controlBodies(runtime);
  return {
    runtime,
    platform,
    managed,
    describe,
    body,
    change: (c, schema, handle, limit = SMALL_BODY_BYTES) =>
      body(c.req.raw, limit, (text) => {
        const change = readChange(runtime, c, text);
        return handle(checkBody(schema, text.trim() === '' ? {} : parseJson(text)), change);
      }),
  };
}

/** @throws {ServeError} `INVALID_ARGUMENT` with the first mistake */
export function checkBody<Schema extends z.ZodType>(
  schema: Schema,
  value: unknown,
): z.output<Schema> {
  const checked = checkSchema(schema, value);
  if ('data' in checked) return checked.data;
  throw invalidArgument(`The body is wrong: ${checked.fault}.`);
}
