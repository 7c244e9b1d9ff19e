/** @module The traffic of models: routes, canaries, experiments and the outcomes of requests. */

export type { CanaryState } from './canary.ts';
export type { Joined, Outcome } from './outcomes.ts';
export type { Pair } from './pairs.ts';
export type { ArmReport, Disagreement, ExperimentReport } from './report.ts';
export type { RouteRecord } from './route-record.ts';
export type { CanaryAction } from './steer.ts';
export { type FileRoutes, StoredRoutes } from './stored-routes.ts';
export { Traffic, type TrafficParts } from './traffic.ts';
