/** @module Bun as the host. */

import { type Host, listenError } from './host.ts';

/** A connection that sends nothing for so long is closed. Also ends a body that stalls. */
const IDLE_SECONDS = 10;

export const bunHost: Host = {
  get name() {
    return `bun ${Bun.version}`;
  },
  async listen(options) {
    try {
      const fastRoutes = Object.entries(options.fastRoutes ?? {});
      const server = Bun.serve({
        hostname: options.hostname,
        port: options.port,
        reusePort: options.shared,
        idleTimeout: IDLE_SECONDS,
        // Each route has its own limit, and tells it.
        maxRequestBodySize: Number.MAX_SAFE_INTEGER,
        // Bun's own router spares a request a fifth of what Hono's floor costs; other methods go on to `fetch`.
        routes: Object.fromEntries(fastRoutes.map(([path, handler]) => [path, { POST: handler }])),
        fetch: (request) => options.fetch(request),
      });
      return { port: server.port ?? options.port, stop: () => server.stop() };
    } catch (error) {
      throw listenError(error, options);
    }
  },
};
