/** @module What the platform needs of the JavaScript runtime that hosts it. */

import { ServeError } from '../errors.ts';

export type RequestHandler = (request: Request) => Response | Promise<Response>;

export interface ListenOptions {
  readonly hostname: string;
  /** 0 takes a free port. */
  readonly port: number;
  /** The setting that the port is from, for the sentence where it cannot be opened. */
  readonly setting: string;
  /** Whether other threads of this process listen on the same port. */
  readonly shared: boolean;
  /** Answers every request. */
  readonly fetch: RequestHandler;
  /** Answers to POST by path, which a host may call instead of `fetch` where it matches paths faster. */
  readonly fastRoutes?: Readonly<Record<string, RequestHandler>>;
}

/** An open port. */
export interface Listener {
  readonly port: number;
  /** Takes no more connections, closes the idle ones and resolves when the last answer is out. */
  stop(): Promise<void>;
}

export interface Host {
  /** Such as `bun 1.4.5`. */
  readonly name: string;
  /** @throws {ServeError} `PORT_TAKEN` */
  listen(options: ListenOptions): Promise<Listener>;
}

/** The sentence for a port that could not be opened, or the error itself when it is about something else. */
export function listenError(error: unknown, { hostname, port, setting }: ListenOptions): unknown {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  if (code === 'EADDRINUSE') {
    return new ServeError(
      'PORT_TAKEN',
      `Port ${port} is already in use; stop the process that holds it or write another number in ${setting}.`,
    );
  }
  if (code === 'EACCES') {
    return new ServeError(
      'PORT_TAKEN',
      `Port ${port} may not be opened by this user; write a number from 1024 to 65535 in ${setting}.`,
    );
  }
  if (code === 'EADDRNOTAVAIL') {
    return new ServeError(
      'PORT_TAKEN',
      `HOST ${hostname} is not an address of this machine; write 0.0.0.0 or one of its addresses.`,
    );
  }
  return error;
}
