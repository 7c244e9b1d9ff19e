/** @module Deno as the host. */

import { checkName, type Host, listenError } from './host.ts';
import { openPostgresJs } from './postgres-js.ts';

/** The part of Deno's API used here; its own types would replace those that Bun and Node share. */
interface DenoApi {
  readonly version: { readonly deno: string };
  serve(
    options: { hostname: string; port: number; reusePort: boolean; onListen: () => void },
    handler: (request: Request) => Response | Promise<Response>,
  ): DenoServer;
}

interface DenoServer {
  readonly addr: { readonly port: number };
  shutdown(): Promise<void>;
}

/**
 * How long a stop waits until clients have received their last responses. Deno also waits for clients that have sent
 * only a part of a request, even if they have got their response.
 */
const CLOSE_MS = 5000;

const api = (): DenoApi => (globalThis as unknown as { Deno: DenoApi }).Deno;

export const denoHost: Host = {
  get name() {
    return `deno ${api().version.deno}`;
  },
  async listen(options) {
    try {
      await checkName(options.hostname);
      const server = api().serve(
        {
          hostname: options.hostname,
          port: options.port,
          reusePort: options.shared,
          // Deno would print the address; the service logs its own line.
          onListen: () => {},
        },
        (request) => options.fetch(request),
      );
      return { port: server.addr.port, stop: () => stop(server) };
    } catch (error) {
      throw listenError(error, options);
    }
  },
  openSql: openPostgresJs,
};

/** Connections that are still open after `CLOSE_MS` are closed when the process or thread ends. */
async function stop(server: DenoServer): Promise<void> {
  let late: ReturnType<typeof setTimeout> | undefined;
  const expired = new Promise<void>((resolve) => {
    late = setTimeout(resolve, CLOSE_MS);
  });
  await Promise.race([server.shutdown(), expired]);
  clearTimeout(late);
}
