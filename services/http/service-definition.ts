/** @module The definition of a service: each has a folder with one definition, and a row in the table of services. */

import type { RouteConfig } from '@hono/zod-openapi';
import type { Runtime, ServicePorts } from '../../runtime/index.ts';
import type { InferRoute } from './edge.ts';
import type { ErrorBody } from './error-response.ts';
import type { AddRoute } from './managed-routes.ts';

/**
 * Adds the routes of a service. It does not expose Hono's app: on Bun infer routes bypass the app, so its
 * middleware would run in tests but not in production.
 */
export interface RouteBuilder {
  readonly runtime: Runtime;
  /** Adds an infer route, which is a POST at its path. */
  infer<Body, Request, Context>(route: InferRoute<Body, Request, Context>): void;
  /** Adds any other route. */
  readonly managed: AddRoute;
  /** Gives errors of unknown routes whose paths begin so, and of wrong methods there, another body. */
  unmatched(prefix: string, body: ErrorBody): void;
  /** Adds a route's entry to the description of the API. */
  describe(operation: RouteConfig): void;
}

/** A POST request with a body of JSON, or with a file as the field `image` of a form. */
export type ExampleRequest =
  | { readonly path: string; readonly body: string }
  | { readonly path: string; readonly file: string };

/** A port on which a service listens. */
export interface OpenPort {
  readonly port: number;
  /** From now on, health checks of this port report that it is not serving. */
  announceStop?(): void;
  /** Stops listening, and resolves when all requests have their responses. */
  stop(): Promise<void>;
}

/** One row of the table of services. */
export interface ServiceDefinition extends ServicePorts {
  /** The name of its folder, of its setting `<NAME>_PORT` and of its label in metrics. */
  readonly name: string;
  readonly defaultPort: number;
  /** The title of its OpenAPI document. */
  readonly title: string;
  readonly description: string;
  /** Its panels of the playground, by their names in `services/playground/page/panels/`. */
  readonly panels: readonly string[];
  /** Whether the service cannot work without a store; then `Runtime.platform` exists. */
  readonly needsStore?: true;
  routes(builder: RouteBuilder): void;
  /** A request that works with a served model, to show at the start; undefined if there is no such model. */
  example?(runtime: Runtime): ExampleRequest | undefined;
  /** Opens its gRPC port, if it has one. Called in one HTTP thread of the process. */
  readonly listenGrpc?: (runtime: Runtime, hostname: string, port: number) => Promise<OpenPort>;
}
