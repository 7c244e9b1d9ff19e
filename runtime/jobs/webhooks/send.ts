/** @module Sends one webhook, to an address that was checked. */

import type { LookupAddress } from 'node:dns';
import { lookup } from 'node:dns/promises';
import http from 'node:http';
import https from 'node:https';
import type { LookupFunction } from 'node:net';
import ipaddr from 'ipaddr.js';
import { type Allowed, addressOf, permitted } from './destinations.ts';

/** Most time from the look-up of the name to the status of the response. */
const TIMEOUT_MS = 10_000;

export interface Sender {
  readonly allowed: Allowed;
  /** All addresses of a name; that of the system by default. */
  readonly resolve?: (name: string) => Promise<readonly string[]>;
  /** Certificates of authorities in PEM; those of the system by default. */
  readonly ca?: string;
}

/**
 * Sends a POST. The name is resolved once and the connection is made to an address that was checked, because a second
 * look-up may have another result (DNS rebinding). Redirects are not followed, and neither are settings of proxies.
 *
 * @returns the HTTP status
 * @throws {ServeError} `INVALID_ARGUMENT` if the URL may not be reached
 * @throws the error of a connection that fails
 */
export async function send(
  { allowed, resolve = addresses, ca }: Sender,
  href: string,
  body: string,
  headers: Readonly<Record<string, string>>,
  signal: AbortSignal,
): Promise<number> {
  const url = new URL(href);
  const name = url.hostname.replace(/^\[(.*)\]$/, '$1');
  const within = AbortSignal.any([signal, AbortSignal.timeout(TIMEOUT_MS)]);
  const resolved = addressOf(url) === undefined ? await until(within, resolve(name)) : [name];
  const found = permitted(url, resolved, allowed);
  const client = url.protocol === 'https:' ? https : http;
  const request = client.request({
    host: name,
    port: url.port,
    path: url.pathname + url.search,
    method: 'POST',
    headers: { ...headers, 'Content-Length': Buffer.byteLength(body) },
    lookup: checked(found),
    // An agent of its own keeps no connection, and reads no proxy from the environment.
    agent: new client.Agent({ keepAlive: false }),
    signal: within,
    ...(ca === undefined ? {} : { ca }),
  });
  return new Promise((done, fail) => {
    request.on('error', fail);
    request.on('response', (response) => {
      done(response.statusCode!);
      // Nobody reads the body, which may be endless.
      response.destroy();
    });
    request.end(body);
  });
}

async function addresses(name: string): Promise<readonly string[]> {
  return (await lookup(name, { all: true })).map(({ address }) => address);
}

/** A look-up that answers with the addresses that were checked, whatever the name has become meanwhile. */
function checked(found: readonly string[]): LookupFunction {
  const all: LookupAddress[] = found.map((address) => {
    return { address, family: ipaddr.IPv6.isValid(address) ? 6 : 4 };
  });
  return (_name, options, reply) => {
    if (options.all === true) reply(null, all);
    else reply(null, all[0]!.address, all[0]!.family);
  };
}

/** Rejects when the signal aborts first, because a look-up cannot be stopped. */
function until<Result>(signal: AbortSignal, work: Promise<Result>): Promise<Result> {
  return new Promise((done, fail) => {
    const stop = () => fail(signal.reason);
    signal.addEventListener('abort', stop, { once: true });
    if (signal.aborted) stop();
    work.then(done, fail).finally(() => signal.removeEventListener('abort', stop));
  });
}
