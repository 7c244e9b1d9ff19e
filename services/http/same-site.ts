/**
 * Refuses requests that pages of other sites send to change state (cross-site request forgery). A browser lets
 * any page send requests, also to a server on the user's own machine.
 *
 * @module
 */

import { ServeError } from '../../runtime/index.ts';
import { notJsonType } from './codec-json.ts';

/**
 * The refusal of a request that changes state; undefined if the request is allowed.
 *
 * - Browsers name the origin of a request in `Sec-Fetch-Site`, and older ones in `Origin`. Programs send neither.
 * - A body must be JSON, because pages cannot send JSON to another site without a CORS preflight. The same holds
 *   for `application/octet-stream`, which some programs send with every body.
 *
 * @see https://developer.mozilla.org/docs/Web/HTTP/Reference/Headers/Sec-Fetch-Site
 */
export function refuseOtherSites(headers: Headers): ServeError | undefined {
  if (isCrossSite(headers)) {
    return new ServeError(
      'CROSS_SITE',
      'This route does not take requests from pages of other sites; send them from a program or from a page of this server.',
    );
  }
  const type = headers.get('content-type');
  const empty = headers.get('content-length') === '0';
  return type === null || type === 'application/octet-stream' || empty
    ? undefined
    : notJsonType(type);
}

function isCrossSite(headers: Headers): boolean {
  const site = headers.get('sec-fetch-site');
  if (site !== null) return site !== 'same-origin' && site !== 'none';
  const origin = headers.get('origin');
  return origin !== null && origin.replace(/^https?:\/\//, '') !== headers.get('host');
}
