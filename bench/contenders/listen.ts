/** @module The port of a contender that is a plain application. */

/** Serves a fetch handler with Bun. @returns the port */
export function listen(fetch: (request: Request) => Response | Promise<Response>): number {
  return Bun.serve({ port: 0, hostname: '127.0.0.1', fetch }).port!;
}
