/** @module Paths of the protocol, and the model and version that they name. */

import { ServeError } from '../../runtime/index.ts';
import type { Target } from './infer.ts';

/** The path templates of an action on a model, without and with a version. */
export const modelPaths = (action: string): readonly [string, string] => [
  `/v2/models/:model${action}`,
  `/v2/models/:model/versions/:version${action}`,
];

const MODELS = '/v2/models/';
const VERSIONS = '/versions/';

/**
 * The model and version in a URL, or in its path alone, which is what Bun has for a request without a valid `Host`.
 *
 * @throws {ServeError} `ROUTE_NOT_FOUND` if the path has invalid escapes
 */
export function targetOf(url: string): Target {
  const start = url.indexOf(MODELS) + MODELS.length;
  const query = url.indexOf('?', start);
  const pathEnd = query === -1 ? url.length : query;
  const model = segment(url, start, pathEnd);
  const rest = start + model.length;
  if (!url.startsWith(VERSIONS, rest)) return { model: decoded(model), version: undefined };
  const version = segment(url, rest + VERSIONS.length, pathEnd);
  return { model: decoded(model), version: decoded(version) };
}

/** Returns `targetOf` for a route whose requests mostly have the URL of the request before. */
export function targetReader(): typeof targetOf {
  let last: { readonly url: string; readonly target: Target } | undefined;
  return (url) => {
    if (last?.url !== url) last = { url, target: targetOf(url) };
    return last.target;
  };
}

/** The part of the URL from `start` to the next slash or the end of the path. */
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
