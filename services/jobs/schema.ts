/** @module What clients send about a job, checked. */

import { z } from '@hono/zod-openapi';
import type { Context } from 'hono';
import {
  checkSchema,
  DEFAULT_ATTEMPTS,
  invalidArgument,
  type JobRequest,
  type JobStatus,
  jobStatuses,
  MOST_ATTEMPTS,
} from '../../runtime/index.ts';
import type { Query } from './infer-routes.ts';

const YEAR_SECS = 31_536_000;

const target = {
  service: z.string().openapi({ description: 'The name of a service.', example: 'prediction' }),
  path: z.string().openapi({
    description: 'One of its infer routes. What a path cannot hold as it is, is escaped.',
    example: '/predict',
  }),
  webhook: z.string().optional().openapi({
    description: 'A URL that gets the job as a signed POST when it has ended.',
    example: 'https://example.com/hooks/jobs',
  }),
};

const ttl = z.int().min(1).max(YEAR_SECS).optional().openapi({
  description: 'Seconds within which it must have started; afterwards it is `expired`.',
});

const attempts = z
  .int()
  .min(1)
  .max(MOST_ATTEMPTS)
  .optional()
  .openapi({
    description: `How often it may fail for a reason that may pass; ${DEFAULT_ATTEMPTS} by default.`,
  });

export const jobSchema = z
  .strictObject({
    ...target,
    body: z.record(z.string(), z.unknown()).openapi({
      description: 'The body of the request to the route.',
      example: { features: [5.1, 3.5, 1.4, 0.2] },
    }),
    ttl_seconds: ttl,
    max_attempts: attempts,
  })
  .openapi('JobRequest');

/** The query of a batch, in which numbers are text. */
export const batchSchema = z.strictObject({ ...target, ttl_seconds: ttl, max_attempts: attempts });

/** @throws {ServeError} `INVALID_ARGUMENT` */
export function readJob(c: Context, json: unknown, body: string | undefined): JobRequest {
  return toRequest(c, checked(jobSchema, json, 'The body'), body);
}

/** @throws {ServeError} `INVALID_ARGUMENT` */
export const readBatch = (c: Context): JobRequest => toBatch(c, c.req.query());

/**
 * Reads the query of an archive of images, in which all parameters that are not those of a batch are options of each request.
 *
 * @returns the batch, and the other parameters
 * @throws {ServeError} `INVALID_ARGUMENT`
 */
export function readArchive(c: Context): {
  readonly request: JobRequest;
  readonly query: Query;
} {
  const own: Record<string, string> = {};
  const query: [name: string, text: string][] = [];
  for (const [name, values] of Object.entries(c.req.queries())) {
    if (Object.hasOwn(batchSchema.shape, name)) own[name] = values[0]!;
    else if (name !== 'image' && name !== 'images') {
      for (const text of values) query.push([name, text]);
    } else throw invalidArgument(`The parameter ${name} is made of the files of the archive.`);
  }
  return { request: toBatch(c, own), query };
}

function toBatch(c: Context, given: Readonly<Record<string, string>>): JobRequest {
  const numbers = ['ttl_seconds', 'max_attempts'];
  const query = Object.fromEntries(
    Object.entries(given).map(([name, text]) => {
      return [name, numbers.includes(name) && /^\d+$/.test(text) ? Number(text) : text];
    }),
  );
  return toRequest(c, checked(batchSchema, query, 'The query'), undefined);
}

function checked<Schema extends z.ZodType>(
  schema: Schema,
  value: unknown,
  what: string,
): z.output<Schema> {
  const result = checkSchema(schema, value);
  if ('data' in result) return result.data;
  throw invalidArgument(`${what} is wrong: ${result.fault}.`);
}

type Given = z.output<typeof batchSchema>;

function toRequest(c: Context, given: Given, body: string | undefined): JobRequest {
  return {
    service: given.service,
    path: given.path,
    body,
    webhook: given.webhook,
    ttlSecs: given.ttl_seconds,
    maxAttempts: given.max_attempts ?? DEFAULT_ATTEMPTS,
    idempotencyKey: readKey(c),
  };
}

function readKey(c: Context): string | undefined {
  const key = c.req.header('idempotency-key');
  if (key === undefined || /^[\x21-\x7e]{1,255}$/.test(key)) return key;
  throw invalidArgument('Idempotency-Key must be 1 to 255 visible ASCII characters.');
}

/** Most seconds that a request waits for the end of a job. */
const MOST_WAIT_SECS = 60;

/** Reads `?wait=10s`. @returns milliseconds @throws {ServeError} `INVALID_ARGUMENT` */
export function readWait(c: Context): number {
  const text = c.req.query('wait');
  if (text === undefined) return 0;
  const [, digits, unit] = /^(\d{1,6})(s|ms)$/.exec(text) ?? [];
  const ms = Number(digits) * (unit === 's' ? 1000 : 1);
  if (ms <= MOST_WAIT_SECS * 1000) return ms;
  throw invalidArgument(`?wait must be a time such as 10s or 500ms, at most ${MOST_WAIT_SECS}s.`);
}

/** Reads `?status=`. @throws {ServeError} `INVALID_ARGUMENT` */
export function readStatus(c: Context): JobStatus | undefined {
  const text = c.req.query('status');
  const status = jobStatuses.find((each) => each === text);
  if (status === undefined && text !== undefined) {
    throw invalidArgument(`?status must be one of ${jobStatuses.join(', ')}.`);
  }
  return status;
}
