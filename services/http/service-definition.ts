/** @module What a service is: a folder with one definition, and a row in the table of services. */

import type { RouteConfig } from '@hono/zod-openapi';
import type { Runtime, ServicePorts } from '../../runtime/index.ts';
import type { InferRoute } from './edge.ts';
import type { AddRoute } from './managed-routes.ts';

/**
 * What a definition adds its routes with. Hono's app is not among it: on Bun the infer routes bypass it, so
 * that middleware would run in tests and not in production.
 */
export interface RouteBuilder {
  readonly runtime: Runtime;
  /** Adds an infer route, a POST at its path. */
  infer<Body, Request, Context>(route: InferRoute<Body, Request, Context>): void;
  /** Adds any other route. */
  readonly managed: AddRoute;
  /** Adds a route's entry to the description of the API. */
  describe(operation: RouteConfig): void;
}

/** The path and the JSON body of a POST. */
export interface ExampleRequest {
  readonly path: string;
  readonly body: string;
}

/** An open port. */
export interface OpenPort {
  readonly port: number;
  /** Tells clients that ask for the server's health that it will stop. */
  announceStop?(): void;
  /** Takes no more requests, and resolves when the last one is answered. */
  stop(): Promise<void>;
}

export interface ServiceDefinition extends ServicePorts {
  /** Its folder's name, which is also that of its setting `<NAME>_PORT`. */
  readonly name: string;
  readonly defaultPort: number;
  /** The heading of its documentation. */
  readonly title: string;
  readonly description: string;
  routes(builder: RouteBuilder): void;
  /** A request that a newcomer can send at once; undefined where no model would respond to one. */
  example?(runtime: Runtime): ExampleRequest | undefined;
  /** Opens its gRPC port, where it has one. One HTTP thread of the process does. */
  readonly listenGrpc?: (runtime: Runtime, hostname: string, port: number) => Promise<OpenPort>;
}
