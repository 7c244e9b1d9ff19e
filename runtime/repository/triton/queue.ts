/** @module Triton's queue policies: how many requests of each priority level may wait, and how long. */

import type { ModelConfig } from '../config.ts';
import type { LevelPolicy, QueuePolicy } from '../settings.ts';
import { type DynamicBatching, type TritonQueuePolicy, wrong } from './config.ts';

/** The limits of the engine. */
const MAX_LEVELS = 256;
const MAX_WAITING = 65_536;

/** @throws {ServeError} `INVALID_CONFIG` for priority levels that contradict each other. */
export function queuePolicy(name: string, given: DynamicBatching = {}): QueuePolicy {
  const { priority_levels: levels = 0, default_priority_level: defaultLevel = 0 } = given;
  const policies = Object.entries(given.priority_queue_policy ?? {});
  if (levels > MAX_LEVELS) {
    throw wrong(name, `priority_levels must be at most ${MAX_LEVELS} but is ${levels}`);
  }
  if (levels > 0 ? defaultLevel < 1 || defaultLevel > levels : defaultLevel > 0) {
    const wanted = levels > 0 ? `from 1 to ${levels}` : 'left out without priority_levels';
    throw wrong(name, `default_priority_level must be ${wanted} but is ${defaultLevel}`);
  }
  for (const [level] of policies) {
    if (Number(level) >= 1 && Number(level) <= levels) continue;
    throw wrong(name, `priority_queue_policy names the level ${level} of ${levels}`);
  }
  return {
    levels,
    defaultLevel,
    defaultPolicy: levelPolicy(given.default_queue_policy),
    byLevel: new Map(policies.map(([level, policy]) => [Number(level), levelPolicy(policy)])),
  };
}

/** With `DELAY`, requests run also after their timeout, so there is no limit. */
function levelPolicy({
  timeout_action = 'REJECT',
  default_timeout_microseconds = 0,
  allow_timeout_override = false,
}: TritonQueuePolicy = {}): LevelPolicy {
  if (timeout_action === 'DELAY') return { timeoutMs: undefined, mayShorten: false };
  return default_timeout_microseconds === 0
    ? { timeoutMs: undefined, mayShorten: true }
    : { timeoutMs: default_timeout_microseconds / 1000, mayShorten: allow_timeout_override };
}

/** How many requests may wait, in total and on each priority level. As in Triton, a size of 0 means no limit. */
export function queueSizes(given: DynamicBatching = {}): QueueSizes {
  const { priority_levels: levels = 0, default_queue_policy: defaultPolicy } = given;
  if (levels === 0) return allOf(sizeOf(defaultPolicy));
  const sizes = Array.from({ length: levels }, (_, index) =>
    sizeOf(given.priority_queue_policy?.[index + 1] ?? defaultPolicy),
  );
  if (sizes.every((size) => size === 0)) return {};
  const total = sizes.includes(0) ? 0 : sizes.reduce((sum, size) => sum + size);
  return { ...allOf(total), maxQueueByPriority: sizes };
}

type BatchingTerms = Exclude<ModelConfig['batching'], false | undefined>;
type QueueSizes = Pick<BatchingTerms, 'maxQueue' | 'maxQueueByPriority'>;

const sizeOf = (policy: TritonQueuePolicy | undefined): number =>
  Math.min(policy?.max_queue_size ?? 0, MAX_WAITING);

const allOf = (size: number): QueueSizes =>
  size === 0 ? {} : { maxQueue: Math.min(size, MAX_WAITING) };

/** Sentences about parts of the policies that work differently than in Triton. */
export function queueNotes(given: DynamicBatching = {}): string[] {
  const policies = [
    given.default_queue_policy,
    ...Object.values(given.priority_queue_policy ?? {}),
  ];
  const notes: string[] = [];
  if (policies.some((policy) => policy?.timeout_action === 'DELAY')) {
    notes.push('With timeout_action DELAY late requests keep their place in the queue');
  }
  if (policies.some((policy) => (policy?.max_queue_size ?? 0) > MAX_WAITING)) {
    notes.push(`A max_queue_size of more than ${MAX_WAITING} is ${MAX_WAITING}`);
  }
  return notes;
}
