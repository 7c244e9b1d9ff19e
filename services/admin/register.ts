/** @module `POST /admin/models/{name}/versions`: registers a version, whose files are sent or named. */

import { type RouteConfig, z } from '@hono/zod-openapi';
import type { Context } from 'hono';
import {
  checkRegistration,
  invalidArgument,
  type Registration,
  ServeError,
  Workspace,
} from '../../runtime/index.ts';
import { parseJson } from '../http/codec-json.ts';
import { errorResponses } from '../http/openapi.ts';
import { answer } from './answer.ts';
import { callerOf } from './change.ts';
import { json, pathParameters, versionSchema } from './openapi.ts';
import { type Form, receiveForm } from './receive-form.ts';
import { type AdminTools, checkBody } from './tools.ts';
import { withServing } from './versions.ts';

const PATH = '/admin/models/{name}/versions';
const FORM = 'multipart/form-data';
const GIBIBYTE = 1024 ** 3;
const MAX_ARTIFACT_BYTES = 16 * GIBIBYTE;
/** Maximum bytes of each field besides the files; a signature names each file. */
const FIELDS = {
  version: 1024,
  metadata: 128 * 1024,
  config: 1024 * 1024,
  signature: 16 * 1024 * 1024,
};
const MAX_JSON_BYTES = 16 * 1024 * 1024;
/** Maximum forms that one HTTP thread receives at once. */
const MAX_AT_ONCE = 8;

const object = z.record(z.string(), z.unknown());
const about = {
  version: z.string(),
  metadata: object.optional().openapi({ description: 'Any JSON object of at most 64 KiB' }),
  config: object.optional().openapi({ description: 'A model.json' }),
  signature: object
    .optional()
    .openapi({ description: 'A Sigstore bundle of OpenSSF model-signing' }),
};
const sourceBody = z.strictObject({
  source: z.string().openapi({
    description: 's3://bucket/key; with ALLOW_LOCAL_SOURCES also an absolute path on the server',
  }),
  ...about,
});
const formFields = z.strictObject(about);

export function registerRoute(tools: AdminTools): void {
  const { runtime, platform } = tools;
  const { config, clock } = runtime;
  let receiving = 0;
  describe(tools);

  /** Receives a form, of which only a few are received at once. */
  async function receive(request: Request, workspace: Workspace): Promise<Form> {
    if (receiving >= MAX_AT_ONCE) {
      const message = `The server already receives ${MAX_AT_ONCE} artifacts; retry later.`;
      throw new ServeError('OVERLOADED', message);
    }
    receiving += 1;
    try {
      const limits = {
        ...{ file: 'artifact', path: workspace.upload, maxFileBytes: MAX_ARTIFACT_BYTES },
        ...{ fields: FIELDS, idleMs: config.bodyTimeoutMs, minRate: config.minBodyRate },
      };
      return await receiveForm(request, limits, clock);
    } finally {
      receiving -= 1;
    }
  }

  async function register(c: Context, files: string, registration: Registration) {
    const who = callerOf(runtime, c);
    const { version, isNew } = await platform.catalog.register(files, registration, who);
    await platform.followed();
    return answer(c, withServing(runtime, version), isNew ? 201 : 200);
  }

  tools.managed(
    '/admin/models/:name/versions',
    async (c) => {
      const model = c.req.param('name')!;
      await using workspace = await Workspace.open(config);
      if (c.req.header('content-type')?.toLowerCase().startsWith(FORM)) {
        const { fields, hasFile } = await receive(c.req.raw, workspace);
        const registration = readForm(model, fields);
        if (!hasFile) throw invalidArgument('The form has no field artifact with the files.');
        return await register(c, await workspace.unpack(), registration);
      }
      return await tools.body(c.req.raw, MAX_JSON_BYTES, async (text) => {
        const { source, ...rest } = checkBody(sourceBody, parseJson(text));
        const registration = checked(model, rest);
        return register(c, await workspace.fetch(source), registration);
      });
    },
    'POST',
    [FORM],
  );
}

/** @throws {ServeError} `INVALID_ARGUMENT`, `PAYLOAD_TOO_LARGE` */
function readForm(model: string, fields: Form['fields']): Registration {
  const { version, ...rest } = fields;
  const parsed = Object.entries(rest).map(([name, text]) => [name, parseField(name, text)]);
  return checked(model, checkBody(formFields, { version, ...Object.fromEntries(parsed) }));
}

function parseField(name: string, text: string): unknown {
  try {
    return parseJson(text);
  } catch (error) {
    if (!(error instanceof ServeError)) throw error;
    throw invalidArgument(`The field ${name} must be a JSON object of moderate depth.`);
  }
}

function checked(model: string, given: z.output<typeof formFields>): Registration {
  const { version, metadata = {}, config, signature } = given;
  const registration = { model, version, metadata, config, signature };
  checkRegistration(registration);
  return registration;
}

function describe({ describe: add }: AdminTools): void {
  const file = z.string().openapi({
    format: 'binary',
    description: 'An .onnx file, or a .tar, .tar.gz or .zip of a folder',
  });
  const body: NonNullable<RouteConfig['request']>['body'] = {
    required: true,
    content: {
      [FORM]: { schema: z.object({ artifact: file, ...about }) },
      'application/json': { schema: sourceBody },
    },
  };
  add({
    ...{ method: 'post', path: PATH, summary: 'Register a version, which is tried before' },
    request: { ...pathParameters(PATH), body },
    responses: {
      200: json('It was registered before with the same content', versionSchema),
      201: json('It is registered and ready', versionSchema),
      ...errorResponses([
        ...(['INVALID_ARGUMENT', 'BODY_INCOMPLETE', 'FORBIDDEN', 'NOT_FOUND'] as const),
        ...(['BODY_TIMEOUT', 'CONFLICT', 'PAYLOAD_TOO_LARGE', 'UNSUPPORTED_MEDIA_TYPE'] as const),
        ...(['REJECTED', 'STORE_UNAVAILABLE', 'OVERLOADED'] as const),
      ]),
    },
  });
}
