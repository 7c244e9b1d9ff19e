/** @module The form of a route, as clients, `ROUTING_FILE` and the database write it. */

import { z } from 'zod';
import { checkSchema } from '../check-schema.ts';
import { invalidArgument } from '../errors.ts';

/** How the requests to one model that name no version are divided among its versions. */
export interface TrafficRoute {
  /** Shares by version, in any unit. If empty, the model's own default version gets all requests. */
  readonly weights: Readonly<Record<string, number>>;
  readonly sticky?: Sticky | undefined;
  readonly shadow?: Shadow | undefined;
  readonly canary?: CanaryPlan | undefined;
  /**
   * The period of time that its statistics belong to: another one begins when the stored route or the step of its canary
   * changes. Set by the database only; undefined means 0.
   */
  readonly period?: number | undefined;
}

/**
 * Where a request has the key of its subject, such as the id of a user. All requests with the same key go to the same
 * version; a request without one is divided at random. `field` is a JSON pointer (RFC 6901) into the body.
 */
export type Sticky =
  | { readonly header: string }
  | { readonly claim: string }
  | { readonly field: string };

/** A version that gets copies of requests, whose outputs are only compared. */
export interface Shadow {
  readonly version: string;
  /** Share of the requests that are copied, 0 to 1. */
  readonly fraction: number;
  /** Largest difference between two equal numbers. The classes of a classifier are compared instead of its numbers. */
  readonly tolerance?: number | undefined;
}

/** How a version gets a rising share of the requests, until it is promoted or a guard ends it. */
export interface CanaryPlan {
  readonly version: string;
  /** Shares of the requests, each greater than the one before, above 0 and up to 1. */
  readonly steps: readonly number[];
  /** Shortest time of a step, seconds. */
  readonly bake_seconds: number;
  /** Fewest requests to the canary in a step. */
  readonly min_requests: number;
  readonly guards: Guards;
}

/** Limits on how much worse than the baseline a canary may be. */
export interface Guards {
  /** Largest difference of the shares of requests that fail. */
  readonly error_rate?: number | undefined;
  /** Largest quotient of the 99th percentiles of the latencies. */
  readonly p99_ratio?: number | undefined;
  /** Largest share of compared requests in which the versions disagree. */
  readonly disagreement?: number | undefined;
  /** Largest difference of the mean rewards. */
  readonly reward_drop?: number | undefined;
}

const share = z.number().min(0).max(1);
const version = z.string().min(1, 'the name of a version');

/** A field name of HTTP: a token of RFC 9110. */
const HEADER = /^[!#$%&'*+.^_`|~\w-]+$/;
const POINTER = /^(?:\/(?:[^~/]|~[01])*)+$/;

const isRising = (steps: readonly number[]): boolean =>
  steps.every((step, i) => i === 0 || step > steps[i - 1]!);

/** The schema of a route. Defaults are filled in. */
export const trafficRouteSchema = z.strictObject({
  weights: z
    .record(version, z.number().min(0))
    .refine(
      (weights) => isEmpty(weights) || Object.values(weights).some((weight) => weight > 0),
      'shares by version of which one is more than 0',
    )
    .default({})
    .describe('Shares by version of the requests that name none, in any unit'),
  sticky: z
    .union([
      z.strictObject({ header: z.string().regex(HEADER, 'the name of a header') }),
      z.strictObject({ claim: z.string().min(1, 'the name of a claim') }),
      z.strictObject({
        field: z.string().regex(POINTER, 'a JSON pointer into the body, such as /user/id'),
      }),
    ])
    .optional()
    .describe('Where a request has the key whose requests all go to one version'),
  shadow: z
    .strictObject({
      version,
      fraction: share,
      tolerance: z.number().min(0).optional(),
    })
    .optional()
    .describe('A version that gets copies of requests, whose outputs are only compared'),
  canary: z
    .strictObject({
      version,
      steps: z
        .array(z.number().gt(0).max(1))
        .min(1)
        .max(100)
        .refine(isRising, 'shares of which each is greater than the one before'),
      bake_seconds: z.number().min(0).max(31_536_000).default(300),
      min_requests: z.int().min(0).default(500),
      guards: z
        .strictObject({
          error_rate: share.optional(),
          p99_ratio: z.number().gt(0).optional(),
          disagreement: share.optional(),
          reward_drop: z.number().min(0).optional(),
        })
        .default({}),
    })
    .optional()
    .describe('A version that gets a rising share of the requests'),
}) satisfies z.ZodType<TrafficRoute>;

const isEmpty = (record: object): boolean => Object.keys(record).length === 0;

/**
 * Checks the form of a route, not whether its versions exist.
 *
 * @param what Names the route at the start of the message.
 * @throws {ServeError} `INVALID_ARGUMENT` with the first mistake
 */
export function readRoute(json: unknown, what = 'The route'): TrafficRoute {
  const checked = checkSchema(trafficRouteSchema, json);
  if ('data' in checked) return checked.data;
  throw invalidArgument(`${what} is wrong: ${checked.fault}.`);
}

/** The versions that a route names, each once. */
export function versionsOf({ weights, shadow, canary }: TrafficRoute): readonly string[] {
  const others = [shadow?.version, canary?.version].filter((each) => each !== undefined);
  return [...new Set([...Object.keys(weights), ...others])];
}
