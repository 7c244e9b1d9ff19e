/** @module Settings of how much the server takes on, how long anything may take, and what it logs. */

import { z } from 'zod';
import { setting, whole } from './setting.ts';

const HOUR_MS = 3_600_000;
const LOG_LEVELS = ['silent', 'fatal', 'error', 'warn', 'info', 'debug', 'trace'] as const;

export const limitSettings = {
  MAX_WORKERS: setting(whole(1, 256).default(1), 'HTTP threads', '2'),
  MAX_IN_FLIGHT: setting(
    whole(1, 1_000_000).default(1024),
    'Most requests that an HTTP thread works on at once',
    '1024',
  ),
  MAX_REQUEST_BYTES: setting(
    whole(1024, 2 ** 31 - 1).default(64 * 1024 * 1024),
    'Most bytes of the body of a /v2 request, after decompression',
    '67108864',
  ),
  BODY_TIMEOUT_MS: setting(
    whole(1, HOUR_MS).default(10_000),
    'Longest time in which the body of a request is received',
    '10000',
  ),
  IDLE_TIMEOUT_SECS: setting(
    whole(1, 255).default(75),
    'Time after which a connection without a request is closed; longer than that of the load balancer in front',
    '75',
  ),
  DRAIN_DELAY_MS: setting(
    whole(0, HOUR_MS).default(0),
    'At a stop: time between being not ready and refusing requests, for load balancers to notice',
    '5000',
  ),
  EXIT_TIMEOUT_MS: setting(
    whole(1, HOUR_MS).default(30_000),
    'At a stop: longest time for requests to be completed',
    '30000',
  ),
  LOG_LEVEL: setting(
    z
      .string()
      .toLowerCase()
      .pipe(z.enum(LOG_LEVELS, `one of ${LOG_LEVELS.join(', ')}`))
      .default('info'),
    'Lowest level of the lines that are logged',
    'info',
  ),
};

type Settings = z.infer<z.ZodObject<typeof limitSettings>>;

export interface LimitSettings {
  readonly maxWorkers: number;
  readonly maxInFlight: number;
  readonly maxRequestBytes: number;
  readonly bodyTimeoutMs: number;
  readonly idleTimeoutSecs: number;
  readonly drainDelayMs: number;
  readonly exitTimeoutMs: number;
  readonly logLevel: string;
}

export function readLimitSettings(settings: Settings): LimitSettings {
  return {
    maxWorkers: settings.MAX_WORKERS,
    maxInFlight: settings.MAX_IN_FLIGHT,
    maxRequestBytes: settings.MAX_REQUEST_BYTES,
    bodyTimeoutMs: settings.BODY_TIMEOUT_MS,
    idleTimeoutSecs: settings.IDLE_TIMEOUT_SECS,
    drainDelayMs: settings.DRAIN_DELAY_MS,
    exitTimeoutMs: settings.EXIT_TIMEOUT_MS,
    logLevel: settings.LOG_LEVEL,
  };
}
