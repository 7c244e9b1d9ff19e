/** @module Paths of the protocol: which model and version a request names. */

import { ServeError } from '../../runtime/index.ts';
import type { Target } from './infer.ts';

/** Routes of a model, with and without its version, for a host that matches patterns. */
export const modelPaths = (action: string): readonly [string, string] => [
  `/v2/models/:model${action}`,
  `/v2/models/:model/versions/:version${action}`,
];

const MODELS = '/v2/models/';
const VERSIONS = '/versions/';

/** The model and version in the path of a URL. @throws {ServeError} `ROUTE_NOT_FOUND` for a path that cannot be decoded */
export function targetOf(url: string): Target {
  const start = url.indexOf(MODELS, 8) + MODELS.length;
  const query = url.indexOf('?', start);
  const pathEnd = query === -1 ? url.length : query;
  const model = segment(url, start, pathEnd);
  const rest = start + model.length;
  if (!url.startsWith(VERSIONS, rest)) return { model: decoded(model), version: undefined };
  const version = segment(url, rest + VERSIONS.length, pathEnd);
  return { model: decoded(model), version: decoded(version) };
}

/** What lies between `start` and the next slash. */
function segment(url: string, start: number, pathEnd: number): string {
  const slash = url.indexOf('/', start);
  return url.slice(start, slash === -1 || slash > pathEnd ? pathEnd : slash);
}

function decoded(text: string): string {
  if (!text.includes('%')) return text;
  try {
    return decodeURIComponent(text);
  } catch {
    throw new ServeError('ROUTE_NOT_FOUND', 'The path is not valid: it has a stray %.');
  }
}
