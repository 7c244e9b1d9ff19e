/** @module The course of a canary, and what it does to the route of its model. */

import type { CanaryPlan, TrafficRoute } from '../routing/route.ts';

/** A canary begins as `running`; `paused` keeps its share until it is resumed; the others are final. */
export type CanaryState = 'running' | 'paused' | 'promoted' | 'rolled_back';

export interface CanaryProgress {
  readonly state: CanaryState;
  /** Index of the present step, or of the last one that it reached. */
  readonly step: number;
  /** Why it is in this state, as a sentence; null if there is nothing to say. */
  readonly reason: string | null;
}

type Weights = Readonly<Record<string, number>>;

export const isActive = ({ state }: Pick<CanaryProgress, 'state'>): boolean =>
  state === 'running' || state === 'paused';

/** The share that a plan gives its version at a step. */
export const shareAt = ({ steps }: CanaryPlan, step: number): number =>
  steps[Math.min(step, steps.length - 1)]!;

/** Weights in which one version has a share of all requests and the others divide the rest as before. */
export function withShare(weights: Weights, version: string, share: number): Weights {
  const others = Object.entries(weights).filter(([other]) => other !== version);
  // Dividing first keeps the sum of very large weights finite.
  const most = Math.max(...others.map(([, weight]) => weight));
  const total = others.reduce((sum, [, weight]) => sum + weight / most, 0);
  const rest = others.map(([other, weight]) => {
    return [other, (weight / most / total) * (1 - share)] as const;
  });
  return Object.fromEntries([...rest, [version, share]]);
}

/** Whether the weights give a version other than this one any requests. */
export const hasOthers = (weights: Weights, version: string): boolean =>
  Object.entries(weights).some(([other, weight]) => other !== version && weight > 0);

/** The route as requests see it: while its canary is active, that has its share; otherwise the weights are all there is. */
export function inEffect(
  { canary, ...route }: TrafficRoute,
  progress: CanaryProgress | undefined,
): TrafficRoute {
  if (canary === undefined || progress === undefined || !isActive(progress)) return route;
  const weights = withShare(route.weights, canary.version, shareAt(canary, progress.step));
  return { ...route, weights, canary };
}
