/** @module Where the command line finds the server that it speaks to. */

import { type ConfigSources, processSources } from './sources.ts';

/** The port of the gateway, through which the command line reaches every route. */
const DEFAULT_URL = 'http://localhost:8080';

/** The address of a server and the credentials for it. */
export interface ServerAddress {
  readonly url: string;
  readonly token: string | undefined;
}

/** The address in `MILLRACE_URL` and the token in `MILLRACE_TOKEN`, or the gateway of this machine. */
export function serverAddress({ env }: ConfigSources = processSources()): ServerAddress {
  return { url: env.MILLRACE_URL || DEFAULT_URL, token: env.MILLRACE_TOKEN || undefined };
}
