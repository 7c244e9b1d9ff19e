/**
 * The edge of an infer route: what every such request passes on its way in and out. It is one function
 * instead of a chain of middleware, which would cost half of the requests a second.
 *
 * @module
 */

import type { Context } from 'hono';
import { type Runtime, ServeError, serverTiming, type Timings } from '../../runtime/index.ts';
import { readText, tooLong } from './body.ts';
import { Exchange, Exchanges } from './exchange.ts';
import { isFault, problem, STATUS, toServeError } from './problem.ts';
import { recorder } from './record.ts';
import { requestIds } from './request-id.ts';

/** What a route made of a request: the body of its answer, and where the time went. */
export interface Answer {
  readonly body: string;
  readonly timings: Timings;
  readonly maxRows: number;
}

export interface InferRoute {
  /** Also the name of the route in metrics and log. */
  readonly path: string;
  /** Most bytes of a body. */
  readonly limit: number;
  /** Called with a permit held. What it throws is told to the client. */
  readonly answer: (exchange: Exchange, text: string) => Promise<Answer>;
}

/** Makes Hono's handlers of this thread's infer routes. */
export function createEdge(
  runtime: Runtime,
): (route: InferRoute) => (c: Context) => Promise<Response> {
  const { admission, clock, log } = runtime;
  const exchanges = new Exchanges(clock, runtime.config.bodyTimeoutMs);
  const requestId = requestIds();
  const accessLog = log.isLevelEnabled('debug');

  /** Decides all that can be decided before the body is read. Without a refusal a permit is held. */
  function enter(request: Request, limit: number): Exchange {
    const startedMs = clock.now();
    const { headers } = request;
    const id = requestId(headers.get('x-request-id'));
    const timeout = headers.get('x-request-timeout-ms');
    const timeoutMs = timeout === null ? undefined : Number(timeout);
    const refusal =
      wrongTimeout(timeoutMs) ??
      wrongType(headers.get('content-type')) ??
      tooLong(request, limit) ??
      admission.acquire();
    return new Exchange(request, id, startedMs, timeoutMs, refusal);
  }

  return ({ path, limit, answer }) => {
    const record = recorder(runtime, path);

    function succeed(exchange: Exchange, { body, timings, maxRows }: Answer): Response {
      const ms = record('POST', 200, exchange.startedMs);
      if (accessLog) log.debug({ request_id: exchange.id, path, ms, ...timings }, 'answered');
      return new Response(body, {
        headers: {
          'Content-Type': 'application/json',
          'X-Request-Id': exchange.id,
          'Server-Timing': serverTiming(timings, maxRows),
        },
      });
    }

    function fail(exchange: Exchange, thrown: unknown): Response {
      const error = toServeError(thrown);
      const ms = record('POST', STATUS[error.code], exchange.startedMs);
      if (isFault(error)) log.error({ request_id: exchange.id, path, err: error }, 'failed');
      else if (accessLog)
        log.debug({ request_id: exchange.id, path, ms, code: error.code }, 'refused');
      return problem(error, exchange.id);
    }

    return async (c) => {
      const exchange = enter(c.req.raw, limit);
      if (exchange.refusal !== undefined) return fail(exchange, exchange.refusal);
      exchanges.add(exchange);
      try {
        const text = await exchange.body(readText(exchange.request, limit));
        return succeed(exchange, await answer(exchange, text));
      } catch (error) {
        return fail(exchange, error);
      } finally {
        exchanges.delete(exchange);
        admission.release();
      }
    };
  };
}

function wrongTimeout(timeoutMs: number | undefined): ServeError | undefined {
  if (timeoutMs === undefined || (timeoutMs > 0 && timeoutMs < Number.POSITIVE_INFINITY)) {
    return undefined;
  }
  return new ServeError(
    'INVALID_ARGUMENT',
    'X-Request-Timeout-Ms must be a number of milliseconds greater than 0.',
  );
}

function wrongType(contentType: string | null): ServeError | undefined {
  if (contentType === 'application/json') return undefined;
  if (contentType !== null && /^application\/(?:[\w.+-]+\+)?json\s*(?:;|$)/i.test(contentType)) {
    return undefined;
  }
  return new ServeError(
    'UNSUPPORTED_MEDIA_TYPE',
    'The body must be JSON; send it with Content-Type: application/json.',
  );
}
