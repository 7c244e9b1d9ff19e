/**
 * What is reported about requests whose version a route has chosen. Each HTTP thread reports its own, during the request:
 * an observer must only add to what it accumulates, and must not throw.
 *
 * Requests that name a version are not reported, nor are those to models whose route has one version and neither a
 * canary nor a shadow.
 *
 * @module
 */

/** `stable` or `canary` while the route has a canary, otherwise the version. */
export type ArmName = string;

/** The arm of the shadow, which gets copies only. */
export const SHADOW: ArmName = 'shadow';

/** A request to one arm of a route, when its response is made. Requests that fail by the client's mistake are left out. */
export interface Observation {
  readonly model: string;
  readonly requestId: string;
  readonly arm: ArmName;
  readonly version: string;
  /** That of the route that chose the version; 0 if it has none. */
  readonly period: number;
  /** Milliseconds from the choice of the version to the response. */
  readonly latencyMs: number;
  /** Whether the model failed or could not respond, so that the response is a 5xx. */
  readonly failed: boolean;
  /** Mean confidence of the rows, if the route has one. */
  readonly confidence: number | undefined;
  /** The prediction as it is in the response: a value, or a list of values for many rows. Undefined if the route has none. */
  readonly prediction: unknown;
}

/** A request that was copied to the shadow, when the shadow has responded too. */
export interface Comparison {
  readonly model: string;
  readonly requestId: string;
  /** The arm and version that responded to the client. */
  readonly arm: ArmName;
  readonly version: string;
  /** That of the route that chose the version; 0 if it has none. */
  readonly period: number;
  /** The version that got the copy. */
  readonly shadow: string;
  /** Milliseconds of the copy, from its submission to its outputs. */
  readonly latencyMs: number;
  /** Whether the shadow failed. Then nothing was compared, and the following members are undefined. */
  readonly failed: boolean;
  /** Whether the outputs are equal: the classes of a classifier for every row, otherwise all values within the tolerance. */
  readonly agrees: boolean | undefined;
  /** Largest difference of two numbers of the outputs; undefined also if none have the same shape. */
  readonly maxAbsDifference: number | undefined;
  /** The outputs that differ, by name, as lists of at most 16 values. Only of a disagreement. */
  readonly outputs: Readonly<Record<string, readonly unknown[]>> | undefined;
  readonly shadowOutputs: Readonly<Record<string, readonly unknown[]>> | undefined;
  /** The inputs, by name. Only of a disagreement, and only with `SHADOW_KEEP_INPUTS`. */
  readonly inputs: Readonly<Record<string, readonly unknown[]>> | undefined;
}

export interface Observer {
  observe(observation: Observation): void;
  compared(comparison: Comparison): void;
}
