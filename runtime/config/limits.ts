/** @module Settings that limit the load and the times of the server, and the setting of its log level. */

import { z } from 'zod';
import { setting, whole } from './setting.ts';

const HOUR_MS = 3_600_000;
const LOG_LEVELS = ['silent', 'fatal', 'error', 'warn', 'info', 'debug', 'trace'] as const;

export const limitSettings = {
  MAX_WORKERS: setting(whole(1, 256).default(1), 'Number of HTTP threads', '2'),
  MAX_IN_FLIGHT: setting(
    whole(1, 1_000_000).default(1024),
    'Maximum requests in flight in each HTTP thread; further requests get 503',
    '1024',
  ),
  MAX_REQUEST_BYTES: setting(
    whole(1024, 2 ** 31 - 1).default(64 * 1024 * 1024),
    'Maximum bytes of the body of a /v2 request, decompressed',
    '67108864',
  ),
  MAX_PREDICT_BYTES: setting(
    whole(1024, 8 * 1024 * 1024).default(1024 * 1024),
    'Maximum bytes of the body of a /predict request, decompressed',
    '4194304',
  ),
  MAX_LOAD_BYTES: setting(
    whole(1024, 2 ** 31 - 1).default(128 * 1024 * 1024),
    'Maximum bytes of the body of a request that loads a model',
    '134217728',
  ),
  MAX_BODY_BYTES_IN_FLIGHT: setting(
    whole(1024, 2 ** 40).optional(),
    'Maximum bytes of all bodies in the process, decompressed and parsed; four times MAX_REQUEST_BYTES by default',
    '268435456',
  ),
  MAX_PIXELS: setting(
    whole(1, 16_384 * 16_384).default(25_000_000),
    'Maximum pixels of an image; its sides have 16384 at most',
    '50000000',
  ),
  MAX_PIXEL_BYTES_IN_FLIGHT: setting(
    whole(1024, 2 ** 40).default(192 * 1024 * 1024),
    'Maximum memory of images while they are decoded and resized, in the process; one image that needs more is decoded alone',
    '536870912',
  ),
  MAX_IMAGES_WAITING: setting(
    whole(1, 1_000_000).default(1024),
    'Maximum images that wait to be decoded in each HTTP thread; requests with further ones get 503',
    '1024',
  ),
  MAX_RECEIVING: setting(
    whole(1, 1_000_000).default(4096),
    'Maximum slow bodies that each HTTP thread receives at a time; they do not count as in flight',
    '4096',
  ),
  MIN_BODY_RATE: setting(
    whole(0, 2 ** 31 - 1).default(1024),
    'Minimum bytes per second of a body, after its first five seconds; 0 allows any rate',
    '1024',
  ),
  BODY_TIMEOUT_MS: setting(
    whole(1, HOUR_MS).default(10_000),
    'Maximum time to receive the body of a request',
    '10000',
  ),
  IDLE_TIMEOUT_SECS: setting(
    whole(1, 255).default(75),
    'Time after which a connection without a request is closed, except under Deno; make it longer than that of the load balancer in front',
    '75',
  ),
  DRAIN_DELAY_MS: setting(
    whole(0, HOUR_MS).default(0),
    'When stopping: time between "not ready" and refusing requests, so that load balancers notice',
    '5000',
  ),
  EXIT_TIMEOUT_MS: setting(
    whole(1, HOUR_MS).default(30_000),
    'When stopping: maximum time to complete requests',
    '30000',
  ),
  LOG_LEVEL: setting(
    z
      .string()
      .toLowerCase()
      .pipe(z.enum(LOG_LEVELS, `one of ${LOG_LEVELS.join(', ')}`))
      .default('info'),
    'Minimum level of log lines',
    'info',
  ),
};

type Settings = z.infer<z.ZodObject<typeof limitSettings>>;

export interface LimitSettings {
  readonly maxWorkers: number;
  readonly maxInFlight: number;
  readonly maxRequestBytes: number;
  readonly maxPredictBytes: number;
  readonly maxLoadBytes: number;
  readonly maxBodyBytesInFlight: number;
  readonly maxPixels: number;
  readonly maxPixelBytesInFlight: number;
  readonly maxImagesWaiting: number;
  readonly maxReceiving: number;
  /** Bytes per second. */
  readonly minBodyRate: number;
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
    maxPredictBytes: settings.MAX_PREDICT_BYTES,
    maxLoadBytes: settings.MAX_LOAD_BYTES,
    maxBodyBytesInFlight: settings.MAX_BODY_BYTES_IN_FLIGHT ?? 4 * settings.MAX_REQUEST_BYTES,
    maxPixels: settings.MAX_PIXELS,
    maxPixelBytesInFlight: settings.MAX_PIXEL_BYTES_IN_FLIGHT,
    maxImagesWaiting: settings.MAX_IMAGES_WAITING,
    maxReceiving: settings.MAX_RECEIVING,
    minBodyRate: settings.MIN_BODY_RATE,
    bodyTimeoutMs: settings.BODY_TIMEOUT_MS,
    idleTimeoutSecs: settings.IDLE_TIMEOUT_SECS,
    drainDelayMs: settings.DRAIN_DELAY_MS,
    exitTimeoutMs: settings.EXIT_TIMEOUT_MS,
    logLevel: settings.LOG_LEVEL,
  };
}

/** A sentence about settings that contradict each other; undefined if none do. */
export function limitContradiction(settings: Settings): string | undefined {
  const { MAX_BODY_BYTES_IN_FLIGHT: all, MAX_REQUEST_BYTES: one } = settings;
  const { DRAIN_DELAY_MS: delay, EXIT_TIMEOUT_MS: timeout } = settings;
  if (delay >= timeout) {
    return `DRAIN_DELAY_MS is ${delay}, which leaves nothing of the ${timeout} of EXIT_TIMEOUT_MS to finish requests; write fewer, or more in EXIT_TIMEOUT_MS`;
  }
  if (all === undefined || all >= one) return undefined;
  return `MAX_BODY_BYTES_IN_FLIGHT is ${all}, less than the ${one} of MAX_REQUEST_BYTES; write at least as many, or fewer in MAX_REQUEST_BYTES`;
}
