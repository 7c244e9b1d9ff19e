/** @module Responses of the platform's routes. */

import type { Context } from 'hono';
import { etag } from './change.ts';

/** The JSON of a thing with its revision as `ETag`. */
export function answer(
  c: Context,
  record: { readonly revision: number },
  status: 200 | 201 = 200,
): Response {
  c.header('ETag', etag(record.revision));
  return c.json(record, status);
}
