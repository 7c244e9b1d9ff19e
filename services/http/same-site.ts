/**
 * Refuses requests that pages of other sites send to change state (cross-site request forgery). A browser lets
 * any page send requests, also to a server on the user's own machine, whose address a site may even give to its
 * own name (DNS rebinding).
 *
 * @module
 */

import { BlockList, isIP } from 'node:net';
import { ServeError } from '../../runtime/index.ts';
import { notJsonType } from './codec-json.ts';

/**
 * The refusal of a request that changes state; undefined if the request is allowed.
 *
 * - Browsers name the origin of a request in `Sec-Fetch-Site`, and older ones in `Origin`. Programs send neither.
 * - A body must be JSON, because pages cannot send JSON to another site without a CORS preflight. The same holds
 *   for `application/octet-stream`, which some programs send with every body.
 * - A server that listens only on its own machine has no name but `localhost`.
 *
 * @param listening The address or name on which the server listens.
 * @param types Types of bodies that are also allowed. A page can send some of them without a preflight, but then the
 * browser names its origin.
 * @see https://developer.mozilla.org/docs/Web/HTTP/Reference/Headers/Sec-Fetch-Site
 */
export function refuseOtherSites(
  headers: Headers,
  listening: string,
  types: readonly string[] = [],
): ServeError | undefined {
  if (isLoopback(listening) && !isOwnName(headers.get('host'))) {
    return new ServeError(
      'CROSS_SITE',
      'This server listens only on its own machine, but the Host header has another name; send the request to localhost or to an IP address.',
    );
  }
  if (isCrossSite(headers)) {
    return new ServeError(
      'CROSS_SITE',
      'This route does not take requests from pages of other sites; send them from a program or from a page of this server.',
    );
  }
  const type = headers.get('content-type');
  const empty = headers.get('content-length') === '0';
  if (type === null || empty) return undefined;
  const [bare] = type.split(';');
  return ['application/octet-stream', ...types].includes(bare!.trim().toLowerCase())
    ? undefined
    : notJsonType(type);
}

function isCrossSite(headers: Headers): boolean {
  const site = headers.get('sec-fetch-site');
  if (site !== null) return site !== 'same-origin' && site !== 'none';
  const origin = headers.get('origin');
  return origin !== null && origin.replace(/^https?:\/\//, '') !== headers.get('host');
}

const LOOPBACK = new BlockList();
LOOPBACK.addSubnet('127.0.0.0', 8, 'ipv4');
LOOPBACK.addAddress('::1', 'ipv6');

/** Whether a host is a loopback address, however it is written, or a usual name of one. */
export function isLoopback(host: string): boolean {
  const version = isIP(host);
  if (version !== 0) return LOOPBACK.check(host, version === 4 ? 'ipv4' : 'ipv6');
  return ['localhost', 'ip6-localhost', 'ip6-loopback'].includes(host.toLowerCase());
}

/** Whether a `Host` header is missing, empty, an IP address or `localhost`; no site can have these as its name. */
function isOwnName(host: string | null): boolean {
  if (host === null || host === '') return true;
  const name = host.replace(/:\d+$/, '').replace(/^\[(.*)\]$/, '$1');
  return name.toLowerCase() === 'localhost' || isIP(name) !== 0;
}
