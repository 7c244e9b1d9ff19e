/** @module Triton's queue policies: how long requests of each priority level may wait. */

import type { LevelTerms, QueueTerms } from '../terms.ts';
import { type DynamicBatching, type QueuePolicy, wrong } from './config.ts';

/** The engine's own. */
const MOST_LEVELS = 256;

/** @throws {ServeError} `INVALID_CONFIG` for levels that contradict each other. */
export function queueTerms(name: string, given: DynamicBatching = {}): QueueTerms {
  const { priority_levels: levels = 0, default_priority_level: defaultLevel = 0 } = given;
  const policies = Object.entries(given.priority_queue_policy ?? {});
  if (levels > MOST_LEVELS) {
    throw wrong(name, `priority_levels must be at most ${MOST_LEVELS} but is ${levels}`);
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
    usual: levelTerms(given.default_queue_policy),
    byLevel: new Map(policies.map(([level, policy]) => [Number(level), levelTerms(policy)])),
  };
}

/** With `DELAY` requests that are late are answered all the same, so that no time is a limit. */
function levelTerms({
  timeout_action = 'REJECT',
  default_timeout_microseconds = 0,
  allow_timeout_override = false,
}: QueuePolicy = {}): LevelTerms {
  if (timeout_action === 'DELAY') return { timeoutMs: undefined, mayShorten: false };
  return default_timeout_microseconds === 0
    ? { timeoutMs: undefined, mayShorten: true }
    : { timeoutMs: default_timeout_microseconds / 1000, mayShorten: allow_timeout_override };
}

/** What of the policies has no effect here. */
export function queueNotes(given: DynamicBatching = {}): string[] {
  const { priority_levels = 0, default_queue_policy, priority_queue_policy = {} } = given;
  const sized = Object.keys(priority_queue_policy).filter(
    (level) => priority_queue_policy[level]!.max_queue_size,
  );
  const notes = sized.map(
    (level) => `The max_queue_size of priority level ${level} is not used: levels share a queue`,
  );
  if (priority_levels > 0 && default_queue_policy?.max_queue_size) {
    notes.push(
      'The max_queue_size of default_queue_policy is that of all priority levels together',
    );
  }
  const late = [default_queue_policy, ...Object.values(priority_queue_policy)].some(
    (policy) => policy?.timeout_action === 'DELAY',
  );
  if (late) notes.push('With timeout_action DELAY late requests keep their place in the queue');
  return notes;
}
