/**
 * Keeps the pages of other sites from changing anything here. A browser sends what any page tells it to,
 * also to a server on the user's own machine.
 *
 * @module
 */

import { ServeError } from '../../runtime/index.ts';
import { notJsonType } from './codec-json.ts';

/**
 * Why a request that would change something is refused; undefined where it is not.
 *
 * - Browsers say where a request comes from: in `Sec-Fetch-Site`, and the older ones in `Origin`. Programs
 *   send neither.
 * - A body has to be JSON, which no page can send to another site without asking that site first. The same
 *   holds for `application/octet-stream`, which some programs send with every body.
 *
 * @see https://developer.mozilla.org/docs/Web/HTTP/Reference/Headers/Sec-Fetch-Site
 */
export function refuseOtherSites(headers: Headers): ServeError | undefined {
  if (isFromElsewhere(headers)) {
    return new ServeError(
      'CROSS_SITE',
      'This route does not take requests of pages from another site; send them from a program, or from a page of this server.',
    );
  }
  const type = headers.get('content-type');
  const empty = headers.get('content-length') === '0';
  return type === null || type === 'application/octet-stream' || empty
    ? undefined
    : notJsonType(type);
}

function isFromElsewhere(headers: Headers): boolean {
  const site = headers.get('sec-fetch-site');
  if (site !== null) return site !== 'same-origin' && site !== 'none';
  const origin = headers.get('origin');
  return origin !== null && origin.replace(/^https?:\/\//, '') !== headers.get('host');
}
