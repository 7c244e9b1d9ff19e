/** @module Deno as the host. */

import { checkName, type Host, listenError } from './host.ts';

/** The part of Deno's API used here; its own types would replace those that Bun and Node share. */
interface DenoApi {
  readonly version: { readonly deno: string };
  serve(
    options: { hostname: string; port: number; reusePort: boolean; onListen: () => void },
    handler: (request: Request) => Response | Promise<Response>,
  ): { readonly addr: { readonly port: number }; shutdown(): Promise<void> };
}

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
      return { port: server.addr.port, stop: () => server.shutdown() };
    } catch (error) {
      throw listenError(error, options);
    }
  },
};
