/** @module Paths of the protocol: which model and version a request names. */

import { ServeError } from '../../runtime/index.ts';
import type { Target } from './infer.ts';

/** Routes of a model, with and without its version, for a host that matches patterns. */
export const modelPaths = (action: string): readonly [string, string] => [
  `/v2/models/:model${action}`,
  `/v2/models/:model/versions/:version${action}`,
];

/** What stands in the place of `:model` and `:version`. @throws {ServeError} `ROUTE_NOT_FOUND` */
export function targetOf(url: string): Target {
  const start = url.indexOf('/v2/models/', 8);
  const end = url.indexOf('?', start);
  const [, , , model, versions, version] = url
    .slice(start, end === -1 ? undefined : end)
    .split('/');
  return {
    model: decoded(model),
    version: versions === 'versions' ? decoded(version) : undefined,
  };
}

function decoded(text = ''): string {
  if (!text.includes('%')) return text;
  try {
    return decodeURIComponent(text);
  } catch {
    throw new ServeError('ROUTE_NOT_FOUND', 'The path is not valid: it has a stray %.');
  }
}
