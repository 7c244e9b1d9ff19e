/** @module Calls infer routes in this process, with the same handlers that requests of clients reach. */

import {
  type Answer,
  type InferRoutes,
  invalidArgument,
  type JobTarget,
  type RequestHandler,
  type Runtime,
  ServeError,
} from '../../runtime/index.ts';
import { createEdge, type InferRoute } from '../http/edge.ts';
import { STATUS } from '../http/error-response.ts';
import type { ServiceDefinition } from '../http/service-definition.ts';

/** Maximum characters of a response that is stored as a result. */
const MAX_RESULT = 8 * 1024 * 1024;

interface Route {
  /** The path's template. */
  readonly path: string;
  readonly matches: RegExp;
  readonly handler: RequestHandler;
  readonly streams: InferRoute<unknown, unknown, unknown>['streams'];
  readonly members: InferRoute<unknown, unknown, unknown>['members'];
}

/** Parameters of a query by name, of which some may have the same. */
export type Query = readonly (readonly [name: string, text: string])[];

export interface QueriedRoutes extends InferRoutes {
  /**
   * The members that each body of an archive of images has for these parameters of its query.
   *
   * @throws {ServeError} `INVALID_ARGUMENT` for a route that takes no images, and for options that no request can have
   */
  members(target: JobTarget, query: Query): Readonly<Record<string, unknown>>;
}

/** @param services The services whose infer routes jobs may ask. */
export function createInferRoutes(
  runtime: Runtime,
  services: readonly ServiceDefinition[],
): QueriedRoutes {
  const byService = new Map(services.map((each) => [each.name, routesOf(runtime, each)]));
  const find = ({ service, path }: JobTarget) =>
    byService.get(service)?.find(({ matches }) => matches.test(path));
  return {
    check(target, body) {
      const routes = byService.get(target.service);
      if (routes === undefined) {
        throw invalidArgument(`service must be one of ${[...byService.keys()].join(', ')}.`);
      }
      const route = find(target);
      if (route !== undefined && isPlain(target.path)) {
        if (isStream(route, body)) throw streamed();
        return;
      }
      const paths = routes.map(({ path }) => path).join(', ');
      throw invalidArgument(`path must be an infer route of the service: ${paths}.`);
    },
    members(target, query) {
      const route = find(target);
      if (route?.members !== undefined) return route.members(query);
      throw invalidArgument(
        'An archive has images, which the routes of the service vision take; write service=vision, or send lines of JSON.',
      );
    },
    async call(target, body, signal) {
      const route = find(target);
      // A job that was stored by another version of the server may ask a route that there is no more.
      if (route === undefined) {
        return refusal(new ServeError('ROUTE_NOT_FOUND', 'There is no such infer route.'));
      }
      // The lines of a batch were not read when it was submitted.
      if (isStream(route, body)) return refusal(streamed());
      const request = new Request(`http://localhost${target.path}`, {
        method: 'POST',
        headers: {
          'Content-Type': 'application/json',
          'Content-Length': String(Buffer.byteLength(body)),
        },
        body,
        signal,
      });
      return toAnswer(await route.handler(request));
    },
    refusal,
  };
}

function routesOf(runtime: Runtime, service: ServiceDefinition): Route[] {
  const edge = createEdge(runtime, service.name);
  const found: Route[] = [];
  service.routes({
    runtime,
    infer(route) {
      const { path, streams, members } = route;
      const matches = new RegExp(`^${path.replaceAll('.', '\\.').replaceAll(/:\w+/g, '[^/]+')}$`);
      found.push({ path, matches, handler: edge(route), streams, members });
    },
    managed: () => undefined,
    unmatched: () => undefined,
    describe: () => undefined,
  });
  return found;
}

/** Whether the response to a body, which need not be JSON, is a stream. */
function isStream({ streams }: Route, body: string | undefined): boolean {
  if (streams === undefined) return false;
  try {
    return streams(body === undefined ? undefined : JSON.parse(body));
  } catch {
    return false;
  }
}

const streamed = () =>
  invalidArgument(
    'The response would be a stream of events, but the result of a job is JSON; leave out "stream", or ask generate instead of generate_stream.',
  );

/** Whether a path means itself: it has no query, no `..`, and no character that a URL would have to escape. */
function isPlain(path: string): boolean {
  const url = `http://localhost${path}`;
  return path.startsWith('/') && URL.canParse(url) && new URL(url).href === url;
}

async function toAnswer(response: Response): Promise<Answer> {
  const { status, headers } = response;
  if (!/^application\/json\b/.test(headers.get('content-type') ?? '')) {
    await response.body?.cancel();
    return refusal(invalidArgument('The response of this route is not JSON, as a result must be.'));
  }
  const body = await response.text();
  if (body.length > MAX_RESULT) {
    const message = `The response is longer than ${MAX_RESULT} characters; ask for fewer outputs.`;
    return refusal(new ServeError('PAYLOAD_TOO_LARGE', message));
  }
  const outcome = outcomeOf(response, body);
  const seconds = Number(headers.get('retry-after'));
  return { status, body, outcome, ...(seconds > 0 ? { retryAfterMs: seconds * 1000 } : {}) };
}

/** Codes of requests that were not started. */
const NOT_STARTED = ['OVERLOADED', 'DRAINING', 'CANCELLED'];

function outcomeOf({ ok, status }: Response, body: string): Answer['outcome'] {
  if (ok) return 'done';
  const { code } = JSON.parse(body) as { readonly code?: string };
  if (code !== undefined && NOT_STARTED.includes(code)) return 'busy';
  return status >= STATUS.INTERNAL ? 'failed' : 'refused';
}

function refusal(error: ServeError): Answer {
  const body = JSON.stringify({ error: error.message, code: error.code });
  return { status: STATUS[error.code], body, outcome: 'refused' };
}
