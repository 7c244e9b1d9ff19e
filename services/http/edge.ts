/**
 * The edge of an infer route: the checks and records that every infer request passes. It is one function
 * instead of a chain of middleware, which would halve the number of requests per second.
 *
 * @module
 */

import {
  type Inference,
  type InferenceSteps,
  type Prediction,
  type RequestHandler,
  type Runtime,
  ServeError,
  serverTiming,
  type Timings,
} from '../../runtime/index.ts';
import { asBodyError, type ReadBody, wrongLength } from './body.ts';
import { notJsonType } from './codec-json.ts';
import { errorBody, errorResponse, isFault, STATUS, toServeError } from './error-response.ts';
import type { EventStream } from './event-stream.ts';
import { headerText } from './header-text.ts';
import { RequestContext, Watch } from './request-context.ts';
import { requestIds } from './request-id.ts';
import { createRecorder } from './request-metrics.ts';

/** The body of a response and its headers. Without a `Content-Type` it is JSON. */
export interface EncodedResponse {
  readonly body: string | Uint8Array<ArrayBuffer>;
  readonly headers?: Readonly<Record<string, string>>;
  /** What the body says, one prediction for each row, if a version of the model can be judged by it. */
  readonly predictions?: readonly Prediction[];
}

/** An infer route: how its bodies are read and decoded, and its steps of the pipeline. */
export interface InferRoute<Body, Request, Context>
  extends InferenceSteps<Request, Context, EncodedResponse> {
  /** The path's template, which also names the route in metrics and logs. */
  readonly path: string;
  /** Maximum bytes of a body. */
  readonly limit: number;
  readonly read: ReadBody<Body>;
  /** Whether a body may have any `Content-Type`. Default: only JSON. */
  readonly anyType?: boolean;
  /** Decodes the body as far as that needs no model. @throws {ServeError} */
  decode(body: Body, context: RequestContext): Request | Promise<Request>;
  /**
   * The events that respond to the request, while it is served and then in the text that `respond` returns; undefined if the
   * response is of one piece.
   */
  events?(request: Request): EventStream | undefined;
  /** Whether a request with this body, if it is JSON, is responded to with events. Default: none is. */
  streams?(json: unknown): boolean;
  /**
   * The members that JSON bodies have for parameters of a query. Default: the route takes no options in a query.
   *
   * @throws {ServeError} `INVALID_ARGUMENT` if no request can have them
   */
  members?(
    query: readonly (readonly [name: string, text: string])[],
  ): Readonly<Record<string, unknown>>;
  /** The body of an error response. Default: that of the other routes. */
  errorBody?(error: ServeError, requestId: string): object;
}

/** Returns a function that creates the handler of an infer route of the service. */
export function createEdge(runtime: Runtime, service: string) {
  const { access, admission, bodies, clock, log } = runtime;
  const { bodyTimeoutMs: timeoutMs, idleTimeoutSecs, minBodyRate: minRate } = runtime.config;
  const watch = new Watch(clock, { timeoutMs, minRate });
  const startReceiving = () => admission.startReceiving();
  const endReceiving = () => admission.endReceiving();
  const requestId = requestIds();
  const accessLog = log.isLevelEnabled('debug');

  return <Body, Request, Context>(route: InferRoute<Body, Request, Context>): RequestHandler => {
    const { path, limit, anyType = false } = route;
    const bodyOf = route.errorBody ?? errorBody;
    const record = createRecorder(runtime, service, path);
    const headersOf = successHeaders();
    const cachedHeaders = {
      hit: successHeaders({ 'X-Cache': 'hit' }),
      miss: successHeaders({ 'X-Cache': 'miss' }),
      bypass: successHeaders({ 'X-Cache': 'bypass' }),
    };

    function success(context: RequestContext, inference: Inference<EncodedResponse>): Response {
      const { response: encoded, timings, maxRows, cache } = inference;
      const ms = record('POST', 200, context.startedMs);
      if (accessLog) log.debug({ request_id: context.id, path, ms, ...timings }, 'completed');
      const ofKind = cache === undefined ? headersOf : cachedHeaders[cache.state];
      const reused = ofKind(context.modelVersion);
      const { headers } = reused;
      headers.set('X-Request-Id', context.id);
      if (reused.timings !== timings || reused.maxRows !== maxRows) {
        headers.set('Server-Timing', serverTiming(timings, maxRows));
        reused.timings = timings;
        reused.maxRows = maxRows;
      }
      if (cache?.ageSecs !== reused.ageSecs) {
        headers.set('Age', String(cache?.ageSecs));
        reused.ageSecs = cache?.ageSecs;
      }
      const response = new Response(encoded.body, { headers });
      for (const name in encoded.headers) response.headers.set(name, encoded.headers[name]!);
      return response;
    }

    function failure(context: RequestContext, thrown: unknown): Response {
      const error = withDeadline(toServeError(thrown), context);
      recordFailure(context, error);
      const headers = versionHeader(context.modelVersion);
      return errorResponse(error, context.id, headers, bodyOf(error, context.id));
    }

    function recordFailure({ id, startedMs }: RequestContext, error: ServeError): void {
      const ms = record('POST', STATUS[error.code], startedMs);
      if (isFault(error)) log.error({ request_id: id, path, err: error }, 'failed');
      else if (accessLog) log.debug({ request_id: id, path, ms, code: error.code }, 'refused');
    }

    async function serve(context: RequestContext, announced: number | undefined): Promise<void> {
      try {
        const body = await route.read(context, announced, limit);
        context.arrived();
        if (context.responded) return;
        const decoded = route.decode(body, context);
        const request = decoded instanceof Promise ? await decoded : decoded;
        const events = route.events?.(request);
        if (events !== undefined) return await stream(context, request, events);
        context.respond(success(context, await runtime.infer(route, request, context)));
      } catch (error) {
        context.fail(context.reading ? asBodyError(error) : error);
      }
    }

    /** Serves a request whose response begins with its first event. An error after that is the last event. */
    async function stream(
      context: RequestContext,
      request: Request,
      events: EventStream,
    ): Promise<void> {
      events.listen({
        opened: () => context.begin(eventResponse(context, events)),
        left: () => context.abort(),
      });
      try {
        const { response, timings } = await runtime.infer(route, request, context);
        events.write(response.body);
        const ms = record('POST', 200, context.startedMs);
        if (accessLog) log.debug({ request_id: context.id, path, ms, ...timings }, 'completed');
      } catch (thrown) {
        if (!events.opened) throw thrown;
        const error = withDeadline(toServeError(thrown), context);
        recordFailure(context, error);
        events.send(bodyOf(error, context.id));
      } finally {
        events.close();
        if (events.opened) context.end();
      }
    }

    function release(context: RequestContext): void {
      watch.remove(context);
      if (context.slow) admission.releaseReceiving();
      else admission.release();
    }

    const owner = {
      clock,
      bodies,
      idleTimeoutSecs,
      startReceiving,
      endReceiving,
      failure,
      release,
    };

    return (request, idle) => {
      const startedMs = clock.now();
      const { headers } = request;
      const id = requestId(headers.get('x-request-id'));
      const timeout = headers.get('x-request-timeout-ms');
      const timeoutMs = timeout === null ? undefined : Number(timeout);
      const length = headers.get('content-length');
      const announced = length === null ? undefined : Number(length);
      const context = new RequestContext(owner, request, id, startedMs, timeoutMs, idle);
      const principal = access.authenticate(headers);
      if (principal instanceof ServeError) return failure(context, principal);
      context.principal = principal;
      // The permit comes last, so that only a request that passed the other checks holds one.
      const refusal =
        wrongTimeout(timeoutMs) ??
        (anyType ? undefined : notJsonType(headers.get('content-type'))) ??
        wrongLength(announced, limit) ??
        admission.acquire();
      if (refusal !== undefined) return failure(context, refusal);
      watch.add(context);
      const response = context.response();
      void serve(context, announced);
      return response;
    };
  };
}

/**
 * The headers of successful responses, to which each adds its own. Every response copies them: reusing an object is cheaper
 * than one whose names are checked each time. The values that they have are known, because hits often have those of the hit
 * before, and a header that is set costs as much as all that is done to find a hit.
 */
interface ReusedHeaders {
  readonly headers: Headers;
  timings: Timings | undefined;
  maxRows: number;
  ageSecs: number | undefined;
}

/** Returns a function from the version that a route has chosen to the headers of its responses. */
function successHeaders(
  more: Readonly<Record<string, string>> = {},
): (version: string | undefined) => ReusedHeaders {
  const byVersion = new Map<string | undefined, ReusedHeaders>();
  return (version) => {
    let reused = byVersion.get(version);
    if (reused === undefined) {
      const headers = new Headers({
        'Content-Type': 'application/json',
        ...more,
        ...versionHeader(version),
      });
      reused = { headers, timings: undefined, maxRows: 0, ageSecs: undefined };
      byVersion.set(version, reused);
    }
    return reused;
  };
}

/** The header of responses from a version that a traffic split has chosen, also of errors. */
function versionHeader(version: string | undefined): Record<string, string> {
  return version === undefined ? {} : { 'X-Model-Version': headerText(version) };
}

/** Proxies must neither keep events nor collect them. */
function eventResponse(
  { id, modelVersion, cache }: RequestContext,
  { body }: EventStream,
): Response {
  const headers = {
    'Content-Type': 'text/event-stream; charset=utf-8',
    'Cache-Control': 'no-cache',
    'X-Accel-Buffering': 'no',
    'X-Request-Id': id,
    ...versionHeader(modelVersion),
    ...(cache && { 'X-Cache': cache.state }),
    ...(cache?.ageSecs !== undefined && { Age: String(cache.ageSecs) }),
  };
  return new Response(body, { headers });
}

/** An error of a deadline that the client has set with a header names the header. */
function withDeadline(error: ServeError, { timeoutMs }: RequestContext): ServeError {
  if (error.code !== 'DEADLINE_EXCEEDED' || timeoutMs === undefined) return error;
  const fact = error.message.replace(/\.$/, '');
  const message = `${fact}, because X-Request-Timeout-Ms is ${timeoutMs}; send a larger one, or less at once.`;
  return new ServeError('DEADLINE_EXCEEDED', message, { cause: error });
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
