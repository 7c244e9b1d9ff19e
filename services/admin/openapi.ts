/** @module The entries of the platform's routes in the description of the API. */

import { type RouteConfig, z } from '@hono/zod-openapi';
import type { ServeCode } from '../../runtime/index.ts';
import { errorResponses } from '../http/openapi.ts';
import type { AdminTools } from './tools.ts';

const time = z.string().openapi({ description: 'ISO 8601, UTC' });
const object = z.record(z.string(), z.unknown());

export const modelSchema = z
  .object({
    name: z.string(),
    revision: z.int(),
    version_policy: z.unknown().openapi({
      description: '"all", {"latest": N} or {"specific": ["v1.0"]}',
    }),
    versions: z.array(z.object({ version: z.string(), state: z.string() })),
    labels: z.record(z.string(), z.string()),
    created_at: time.nullable(),
    created_by: z.string().nullable(),
  })
  .openapi('Model');

const tensorSchema = z.object({
  name: z.string(),
  datatype: z.string(),
  shape: z.array(z.int()),
});

export const versionSchema = z
  .object({
    name: z.string(),
    version: z.string(),
    state: z.enum(['registered', 'validating', 'ready', 'rejected', 'archived']),
    reason: z.string().nullable(),
    digest: z.string().nullable(),
    bytes: z.int().nullable(),
    signature_status: z.enum(['verified', 'unsigned', 'invalid']).nullable(),
    metadata: object,
    config: object.nullable(),
    inputs: z.array(tensorSchema).nullable(),
    outputs: z.array(tensorSchema).nullable(),
    costs: z.array(z.looseObject({ rows: z.int(), ms: z.number() })).nullable(),
    notes: z.array(z.string()).optional().openapi({
      description: 'What operators should know of a version that is served',
    }),
    purged: z.boolean(),
    created_at: time.nullable(),
    created_by: z.string().nullable(),
    revision: z.int().openapi({ description: 'That of the model' }),
  })
  .openapi('Version');

export const labelSchema = z
  .object({
    label: z.string(),
    version: z.string(),
    previous: z.string().nullable(),
    revision: z.int(),
    updated_at: time,
  })
  .openapi('Label');

export const eventSchema = z
  .object({
    id: z.int(),
    model: z.string(),
    who: z.string(),
    what: z.string(),
    before: z.unknown(),
    after: z.unknown(),
    at: time,
  })
  .openapi('Event');

type Describe = Pick<AdminTools, 'describe'>;
type Query = Readonly<Record<string, z.ZodType>>;

const READ_ERRORS: readonly ServeCode[] = ['INVALID_ARGUMENT', 'NOT_FOUND', 'STORE_UNAVAILABLE'];
const CHANGE_ERRORS: readonly ServeCode[] = [
  ...READ_ERRORS,
  'CROSS_SITE',
  'CONFLICT',
  'STALE_REVISION',
  'BODY_TIMEOUT',
  'PAYLOAD_TOO_LARGE',
  'UNSUPPORTED_MEDIA_TYPE',
  'REVISION_REQUIRED',
];

/** A query parameter that is present or not. */
export const flag = (description: string) =>
  z.enum(['', 'true', 'false']).optional().openapi({ description });

/** Describes a GET of a list in pages. */
export function describeList(
  { describe }: Describe,
  path: string,
  summary: string,
  item: z.ZodType,
  query: Query = {},
): void {
  const page = z.object({ items: z.array(item), next: z.string().nullable() });
  const parameters = {
    limit: z.string().optional().openapi({ description: 'Maximum items, 1 to 500; default 50' }),
    cursor: z.string().optional().openapi({ description: 'next of the page before' }),
    ...query,
  };
  describe({
    ...{ method: 'get', path, summary },
    request: { ...pathParameters(path), query: z.object(parameters) },
    responses: { 200: json('A page', page), ...errorResponses(READ_ERRORS) },
  });
}

/** Describes a GET of one thing. */
export function describeRead(
  { describe }: Describe,
  path: string,
  summary: string,
  answer: z.ZodType,
): void {
  const responses = { 200: json('The thing, with its ETag', answer) };
  describe({
    ...{ method: 'get', path, summary },
    request: pathParameters(path),
    responses: { ...responses, ...errorResponses(READ_ERRORS) },
  });
}

/** A call that changes something. */
export interface ChangeDescription {
  readonly method: 'post' | 'put' | 'delete';
  readonly path: string;
  readonly summary: string;
  /** The JSON body; undefined if there is none. */
  readonly body?: z.ZodType;
  readonly answer: z.ZodType;
  readonly query?: Query;
  /** Codes of errors besides those that all changes may have. */
  readonly errors?: readonly ServeCode[];
}

/** Describes a call that changes something. */
export function describeChange({ describe }: Describe, given: ChangeDescription): void {
  const { method, path, summary, body, answer, query = {}, errors = [] } = given;
  describe({
    ...{ method, path, summary },
    request: {
      ...pathParameters(path),
      ...changeParameters(query),
      ...(body && { body: { required: true, content: { 'application/json': { schema: body } } } }),
    },
    responses: {
      200: json('As it is now', answer),
      ...errorResponses([...CHANGE_ERRORS, ...errors]),
    },
  });
}

/** Query and headers of every changing call. */
export function changeParameters(query: Query = {}) {
  const strict = flag('Whether If-Match or If-None-Match is required');
  return {
    query: z.object({ strict, ...query }),
    headers: z.object({
      'If-Match': z.string().optional().openapi({ description: 'The ETag that it must have' }),
      'If-None-Match': z.string().optional().openapi({ description: '* if it must not exist' }),
      'Idempotency-Key': z.string().optional().openapi({
        description: 'A key of this change, which is then made once however often it is sent',
      }),
    }),
  };
}

/** The parameters in a path such as `/admin/models/{name}`. */
export function pathParameters(path: string): Pick<NonNullable<RouteConfig['request']>, 'params'> {
  const names = [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => [name, z.string()]);
  return names.length === 0 ? {} : { params: z.object(Object.fromEntries(names)) };
}

export const json = (description: string, schema: z.ZodType) => ({
  description,
  content: { 'application/json': { schema } },
});
