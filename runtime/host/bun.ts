/** @module Bun as the host. */

import { openBunSql } from './bun-sql.ts';
import { checkName, type Host, listenError } from './host.ts';

/** Types of responses that are written while something goes on. Their connections are closed at the end. */
const STREAMS = /^(?:text\/event-stream|application\/x-ndjson)\b/;

export const bunHost: Host = {
  get name() {
    return `bun ${Bun.version}`;
  },
  async listen(options) {
    try {
      await checkName(options.hostname);
      const fastRoutes = Object.entries(options.fastRoutes ?? {});
      const server = Bun.serve({
        hostname: options.hostname,
        port: options.port,
        reusePort: options.shared,
        idleTimeout: options.idleTimeoutSecs,
        // Otherwise Bun would respond to an error with a page that shows the source code.
        development: false,
        // Each route has its own limit, which its error message has.
        maxRequestBodySize: Number.MAX_SAFE_INTEGER,
        // Bun's own router spares a request a fifth of what Hono's floor costs; other methods go on to `fetch`.
        routes: Object.fromEntries(fastRoutes.map(([path, handler]) => [path, { POST: handler }])),
        async fetch(request, server) {
          // A load can take longer than a connection may be idle.
          server.timeout(request, 0);
          let isStream = false;
          try {
            const response = await options.fetch(withHost(request));
            isStream = STREAMS.test(response.headers.get('content-type') ?? '');
            return response;
          } finally {
            // So can the time between two parts of a stream.
            if (!isStream) server.timeout(request, options.idleTimeoutSecs);
          }
        },
      });
      return { port: server.port ?? options.port, stop: () => server.stop() };
    } catch (error) {
      throw listenError(error, options);
    }
  },
  openSql: async (url, options) => openBunSql(url, options),
};

/**
 * The request with a complete URL. If `Host` is missing or invalid, as in the health checks of load balancers that
 * speak HTTP/1.0, Bun's URL is the path alone, in which Hono would find no route.
 */
function withHost(request: Request): Request {
  return request.url.startsWith('/')
    ? new Request(`http://localhost${request.url}`, request)
    : request;
}
