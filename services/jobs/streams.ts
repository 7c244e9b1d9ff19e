/** @module Responses that are written while a job runs: its events, and the results of a batch. */

import type { Context } from 'hono';
import { type Log, ServeError } from '../../runtime/index.ts';

/**
 * Makes a response of the pieces. Each piece is made when the client has taken the one before, so a slow client takes no
 * memory, and when the client is gone nothing more is made.
 *
 * @param make Makes the pieces until the signal aborts.
 */
export function streamed(
  c: Context,
  type: string,
  make: (signal: AbortSignal) => AsyncGenerator<string, void>,
  log: Log,
): Response {
  const gone = new AbortController();
  const leave = () => gone.abort();
  const { signal } = c.req.raw;
  signal.addEventListener('abort', leave, { once: true });
  const pieces = make(gone.signal);
  const encoder = new TextEncoder();
  const end = async () => {
    signal.removeEventListener('abort', leave);
    leave();
    await pieces.return();
  };
  const body = new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        try {
          const { done, value } = await pieces.next();
          if (!done) return controller.enqueue(encoder.encode(value));
          await end();
          controller.close();
        } catch (error) {
          const isStop = error instanceof ServeError && error.code === 'DRAINING';
          const isExpected = isStop || gone.signal.aborted;
          await end();
          if (!isExpected) log.error({ err: error, path: c.req.path }, 'a response broke off');
          // The client sees that the connection ends too early. A reason would be printed by the host.
          controller.error();
        }
      },
      cancel: end,
    },
    { highWaterMark: 0 },
  );
  const headers = {
    'Content-Type': type,
    'Cache-Control': 'no-store',
    // A proxy that collects the response would hold back what is to be seen at once.
    'X-Accel-Buffering': 'no',
    // The connection has no idle timeout, because a job may be silent for long, so it must not stay open.
    Connection: 'close',
  };
  return new Response(body, { headers });
}

/** A server-sent event. @param data Text without line breaks. */
export const serverEvent = (name: string, data: string): string =>
  `event: ${name}\ndata: ${data}\n\n`;

/** A comment, which clients ignore, and which keeps proxies from closing the connection. */
export const HEARTBEAT = ': still here\n\n';
