/**
 * Where webhooks may go. A client chooses the URL, so it must not reach what only this server can reach: services on its
 * machine, in its network, or of its cloud provider.
 *
 * @module
 */

import ipaddr from 'ipaddr.js';
import { invalidArgument, ServeError } from '../../errors.ts';

type Address = ipaddr.IPv4 | ipaddr.IPv6;
type Network = readonly [Address, number];

/** A host of the setting, with a port or with all of them. */
interface AllowedHost {
  readonly host: string;
  readonly port: string | undefined;
}

/** What `WEBHOOK_ALLOW` names: destinations that are reachable although they are local or without TLS. */
export interface Allowed {
  readonly hosts: readonly AllowedHost[];
  readonly networks: readonly Network[];
}

/**
 * @param entries `host`, `host:port`, an address or a network in CIDR notation.
 * @throws {ServeError} `INVALID_CONFIG`
 */
export function readAllowed(entries: readonly string[]): Allowed {
  const hosts: AllowedHost[] = [];
  const networks: Network[] = [];
  for (const entry of entries) {
    if (ipaddr.isValidCIDR(entry)) {
      networks.push(ipaddr.parseCIDR(entry));
      continue;
    }
    const bare = ipaddr.IPv6.isValid(entry) ? `[${entry}]` : entry;
    const url = URL.canParse(`http://${bare}`) ? new URL(`http://${bare}`) : undefined;
    if (url === undefined || url.host === '' || url.href !== `http://${url.host}/`) {
      throw new ServeError(
        'INVALID_CONFIG',
        `WEBHOOK_ALLOW has '${entry}'; write a host, host:port or a network such as 10.1.0.0/16.`,
      );
    }
    // The URL hides the port 80, which is the default of its scheme.
    const port = url.port === '' && /:80$/.test(bare) ? '80' : url.port;
    hosts.push({ host: nameOf(url), port: port === '' ? undefined : port });
  }
  return { hosts, networks };
}

/**
 * Checks a URL before it is stored, as far as that is possible without resolving its name.
 *
 * @returns the URL in its normal form
 * @throws {ServeError} `INVALID_ARGUMENT`
 */
export function checkWebhook(text: string, allowed: Allowed): string {
  if (text.length > 2048 || !URL.canParse(text)) {
    throw invalidArgument('webhook must be a URL of at most 2048 characters.');
  }
  const url = new URL(text);
  if (url.protocol !== 'https:' && url.protocol !== 'http:') {
    throw invalidArgument('webhook must start with https://.');
  }
  if (url.username !== '' || url.password !== '') {
    throw invalidArgument('webhook must not contain a user name or a password.');
  }
  if (isNamed(url, allowed)) return url.href;
  const address = addressOf(url);
  if (address !== undefined) {
    if (!isPermitted(address, url.protocol, allowed)) throw forbidden(url.protocol);
  } else if (url.protocol === 'http:' && allowed.networks.length === 0) {
    throw forbidden(url.protocol);
  }
  return url.href;
}

/**
 * The addresses of a host to which a webhook may be sent.
 *
 * @param resolved All addresses that the host's name has now.
 * @throws {ServeError} `INVALID_ARGUMENT` if there are none
 */
export function permitted(
  url: URL,
  resolved: readonly string[],
  allowed: Allowed,
): readonly string[] {
  if (isNamed(url, allowed)) return resolved;
  const found = resolved.filter((text) => {
    return ipaddr.isValid(text) && isPermitted(ipaddr.parse(text), url.protocol, allowed);
  });
  if (found.length === 0) throw forbidden(url.protocol);
  return found;
}

/** The address if the URL has one instead of a name. */
export function addressOf(url: URL): Address | undefined {
  const host = url.hostname.replace(/^\[(.*)\]$/, '$1');
  return ipaddr.isValid(host) ? ipaddr.parse(host) : undefined;
}

/** The host without brackets and without the dot that ends a complete name. */
const nameOf = (url: URL) => url.hostname.replace(/\.$/, '');

function isNamed(url: URL, { hosts }: Allowed): boolean {
  const port = url.port || (url.protocol === 'https:' ? '443' : '80');
  return hosts.some(
    (each) => each.host === nameOf(url) && (each.port === undefined || each.port === port),
  );
}

function isPermitted(address: Address, protocol: string, { networks }: Allowed): boolean {
  const target = unwrapped(address);
  if (networks.some((network) => contains(network, address) || contains(network, target))) {
    return true;
  }
  return protocol === 'https:' && isPublic(target);
}

function contains([network, bits]: Network, address: Address): boolean {
  return network.kind() === address.kind() && address.match(network as never, bits);
}

/** The addresses of the internet: of version 6 only the range from which they are assigned. */
const GLOBAL = ipaddr.IPv6.parseCIDR('2000::/3');
/** Assigned to protocols, not to hosts. */
const PROTOCOLS = ipaddr.IPv6.parseCIDR('2001::/23');

function isPublic(address: Address): boolean {
  if (address.range() !== 'unicast') return false;
  return address instanceof ipaddr.IPv4 || (address.match(GLOBAL) && !address.match(PROTOCOLS));
}

/** The well-known prefix of translators to version 4. */
const NAT64 = ipaddr.IPv6.parseCIDR('64:ff9b::/96');
const SIX_TO_FOUR = ipaddr.IPv6.parseCIDR('2002::/16');

/** The address of version 4 that one of version 6 stands for, otherwise the address itself. */
function unwrapped(address: Address): Address {
  if (address instanceof ipaddr.IPv4) return address;
  const bytes = address.toByteArray();
  if (address.isIPv4MappedAddress() || address.match(NAT64)) {
    return new ipaddr.IPv4(bytes.slice(12));
  }
  return address.match(SIX_TO_FOUR) ? new ipaddr.IPv4(bytes.slice(2, 6)) : address;
}

function forbidden(protocol: string): ServeError {
  return invalidArgument(
    protocol === 'http:'
      ? 'webhook must start with https://, because its host is not one that WEBHOOK_ALLOW names.'
      : 'webhook must be a host of the internet, or one that WEBHOOK_ALLOW names.',
  );
}
