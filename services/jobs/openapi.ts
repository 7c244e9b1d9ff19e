/** @module The description of the routes of jobs in the OpenAPI document. */

import { type RouteConfig, z } from '@hono/zod-openapi';
import { jobStatuses, type ServeCode } from '../../runtime/index.ts';
import { errorResponses } from '../http/openapi.ts';
import type { RouteBuilder } from '../http/service-definition.ts';
import { batchSchema, jobSchema } from './schema.ts';

const status = z.enum(jobStatuses);
const time = z.iso.datetime();

const madeSchema = z
  .object({ job_id: z.string(), status })
  .openapi('JobCreated', { example: { job_id: 'job_5f0c…', status: 'queued' } });

const job = z
  .object({
    job_id: z.string(),
    status,
    service: z.string(),
    path: z.string(),
    attempts: z.int().openapi({ description: 'How often it was started.' }),
    max_attempts: z.int(),
    progress: z.number().openapi({ description: 'From 0 to 1.' }),
    lines: z.int().optional().openapi({ description: 'Lines of a batch.' }),
    done_lines: z.int().optional(),
    failed_lines: z.int().optional(),
    created_at: time,
    started_at: time.nullable(),
    finished_at: time.nullable(),
    expires_at: time.optional().openapi({ description: 'When it must have started.' }),
    webhook: z.string().optional(),
    webhook_status: z.enum(['pending', 'delivered', 'failed']).nullish(),
    result: z.unknown().openapi({ description: 'The body of the response, if it has succeeded.' }),
    error: z.string().optional().openapi({ description: 'One sentence, if it has failed.' }),
    code: z.string().optional().openapi({ description: 'The code of the error.' }),
  })
  .openapi('Job');

const list = z.object({ items: z.array(job), next: z.string().nullable() }).openapi('Jobs');

const result = z
  .object({
    index: z.int(),
    file: z.string().optional().openapi({ description: 'The name of the file of an archive.' }),
    status: z.int(),
    body: z.unknown(),
  })
  .openapi('JobResult', { description: 'A line of the results of a batch.' });

const content = (type: string, schema: z.ZodType) => ({ [type]: { schema } });
const json = (description: string, schema: z.ZodType) => ({
  description,
  content: content('application/json', schema),
});

const idParameter = z.object({ id: z.string() });
const key = z.object({
  'Idempotency-Key': z.string().optional().openapi({
    description: 'The same key and body make one job, however often they are sent.',
  }),
});

const BATCH =
  'Each file of an archive becomes a request to a route of the service `vision`, in the order of the archive; all other parameters of the query are options of each request, such as `top_k=3`, and are refused if no request can have them. Hidden files are skipped, and files that are no images fail alone.';

const archive = z.string().openapi({
  format: 'binary',
  description: 'At most 1 GiB, 100,000 files and 20 MiB for each; not encrypted.',
});

const TAKEN: readonly ServeCode[] = [
  ...(['INVALID_ARGUMENT', 'INVALID_JSON', 'CONFLICT', 'PAYLOAD_TOO_LARGE'] as const),
  ...(['UNSUPPORTED_MEDIA_TYPE', 'UNSUPPORTED_ENCODING'] as const),
  ...(['BODY_TIMEOUT', 'BODY_INCOMPLETE', 'OVERLOADED', 'STORE_UNAVAILABLE'] as const),
];
const SEEN: readonly ServeCode[] = ['NOT_FOUND', 'STORE_UNAVAILABLE'];

const taken = {
  202: json('The job is stored', madeSchema),
  200: json('The job that the same Idempotency-Key has made before', madeSchema),
  ...errorResponses(TAKEN),
};

const operations: readonly RouteConfig[] = [
  {
    method: 'post',
    path: '/jobs',
    summary: 'Store a request that runs later',
    request: { headers: key, body: { content: content('application/json', jobSchema) } },
    responses: taken,
  },
  {
    method: 'post',
    path: '/jobs/batches',
    summary:
      'Store many requests to one route as one job: a body on each line, or an archive of images',
    description: BATCH,
    request: {
      headers: key,
      query: batchSchema,
      body: {
        required: true,
        content: {
          ...content('application/x-ndjson', z.string()),
          ...content('application/zip', archive),
          ...content('application/x-tar', archive),
        },
      },
    },
    responses: taken,
  },
  {
    method: 'get',
    path: '/jobs',
    summary: 'List jobs, the newest first',
    request: {
      query: z.object({
        status: status.optional(),
        limit: z.coerce.number().int().min(1).max(500).optional(),
        cursor: z.string().optional(),
      }),
    },
    responses: { 200: json('A page of jobs', list), ...errorResponses(['INVALID_ARGUMENT']) },
  },
  {
    method: 'get',
    path: '/jobs/{id}',
    summary: 'A job and its result',
    request: {
      params: idParameter,
      query: z.object({
        wait: z.string().optional().openapi({
          description: 'Waits so long for the end of the job, at most 60s.',
          example: '10s',
        }),
      }),
    },
    responses: { 200: json('The job', job), ...errorResponses(['INVALID_ARGUMENT', ...SEEN]) },
  },
  {
    method: 'delete',
    path: '/jobs/{id}',
    summary: 'Cancel a job that has not ended',
    request: { params: idParameter },
    responses: { 200: json('The cancelled job', job), ...errorResponses(['CONFLICT', ...SEEN]) },
  },
  {
    method: 'get',
    path: '/jobs/{id}/events',
    summary: 'The job at each change until it has ended, as server-sent events named job',
    request: { params: idParameter },
    responses: {
      200: { description: 'The events', content: content('text/event-stream', z.string()) },
      ...errorResponses(SEEN),
    },
  },
  {
    method: 'get',
    path: '/jobs/{id}/results',
    summary: 'The results of a batch in the order of its lines, as they are made',
    request: { params: idParameter },
    responses: {
      200: { description: 'One on each line', content: content('application/x-ndjson', result) },
      ...errorResponses(SEEN),
    },
  },
];

export function describeJobs({ describe }: RouteBuilder): void {
  for (const operation of operations) describe(operation);
}
