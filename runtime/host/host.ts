/** @module What the platform needs from the JavaScript runtime that hosts it. */

import { lookup } from 'node:dns/promises';
import { isIP } from 'node:net';
import { ServeError } from '../errors.ts';
import type { SqlPool, SqlPoolOptions } from './sql.ts';

/** Sets how long the connection of a request may be idle; 0 means without a limit. */
export interface IdleTimer {
  timeout(request: Request, seconds: number): void;
}

/**
 * @param idle The idle timer of hosts such as Bun that count a connection as idle also while its response is being
 * made: a handler that takes long stops the timer, and sets it again when it has finished.
 */
export type RequestHandler = (request: Request, idle?: IdleTimer) => Response | Promise<Response>;

export interface ListenOptions {
  readonly hostname: string;
  /** 0 means any free port. */
  readonly port: number;
  /** The setting that has the port, for the message if it cannot be opened. */
  readonly setting: string;
  /** Seconds after which a connection without a request is closed. */
  readonly idleTimeoutSecs: number;
  /** Whether other threads of this process listen on the same port. */
  readonly shared: boolean;
  /** Responds to every request. */
  readonly fetch: RequestHandler;
  /** Handlers of POST by path, which a host that matches paths faster may call instead of `fetch`. */
  readonly fastRoutes?: Readonly<Record<string, RequestHandler>>;
}

/** An open port. */
export interface Listener {
  readonly port: number;
  /** Accepts no more connections, closes the idle ones and resolves when the last response is sent. */
  stop(): Promise<void>;
}

export interface Host {
  /** Name and version, such as `bun 1.4.5`. */
  readonly name: string;
  /** @throws {ServeError} `LISTEN_FAILED` */
  listen(options: ListenOptions): Promise<Listener>;
  /** Makes a pool of connections to a PostgreSQL, which are opened when they are needed. */
  openSql(url: string, options: SqlPoolOptions): Promise<SqlPool>;
}

/** Messages by a pattern in the error of a host or of the gRPC library, which has no codes. */
const REASONS: readonly (readonly [RegExp, (options: Place) => string])[] = [
  [
    /EADDRINUSE/,
    ({ port, setting }) =>
      `Port ${port} is already in use; stop the process that holds it or write another number in ${setting}`,
  ],
  [
    /EACCES|EPERM/,
    ({ port, setting }) =>
      `Port ${port} may not be opened by this user; write a number from 1024 to 65535 in ${setting}`,
  ],
  [
    /EADDRNOTAVAIL/,
    ({ hostname }) =>
      `HOST ${hostname} is not an address of this machine; write 127.0.0.1, 0.0.0.0 or one of its addresses`,
  ],
  [
    /EAFNOSUPPORT/,
    ({ hostname }) =>
      `HOST ${hostname} is an IPv6 address, which this machine does not support; write an IPv4 address such as 127.0.0.1`,
  ],
  [
    /ENOTFOUND|EAI_|[Nn]ame resolution/,
    ({ hostname }) =>
      `HOST ${hostname} is not a name that this machine can resolve; write an address such as 127.0.0.1`,
  ],
];

/** The place where a port was to be opened. */
export type Place = Pick<ListenOptions, 'hostname' | 'port' | 'setting'>;

/** Rejects for a name that has no address. Bun's own error for it has the code of whatever failed before. */
export async function checkName(hostname: string): Promise<void> {
  if (isIP(hostname) === 0) await lookup(hostname);
}

/** The error for a port that could not be opened, with the reason as a sentence. */
export function listenError(error: unknown, place: Place): ServeError {
  const message = error instanceof Error ? error.message : String(error);
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  // A host name that contains EACCES is not a reason.
  const about = `${code} ${message.replaceAll(place.hostname, '')}`;
  const reason = REASONS.find(([pattern]) => pattern.test(about))?.[1];
  const sentence =
    reason?.(place) ?? `Port ${place.port} at HOST ${place.hostname} cannot be opened: ${message}`;
  return new ServeError('LISTEN_FAILED', `${sentence}.`, { cause: error });
}
