/** @module Cases for health, and for the metadata of the server and its models. */

import { type Case, define, expect } from '../case.ts';

const c = define('', 'core');

const DATATYPES = [
  ...['BOOL', 'UINT8', 'UINT16', 'UINT32', 'UINT64', 'INT8', 'INT16', 'INT32', 'INT64'],
  ...['FP16', 'FP32', 'FP64', 'BYTES', 'BF16'],
];

const isNonEmptyString = (value: unknown): value is string =>
  typeof value === 'string' && value !== '';

export const serverCases: readonly Case[] = [
  c('health/live', 'GET /v2/health/live returns 200', async (server) => {
    const response = await server.get('/v2/health/live');
    expect(response.status === 200, '200', response);
  }),
  c('health/ready', 'GET /v2/health/ready returns 200 while models are served', async (server) => {
    const response = await server.get('/v2/health/ready');
    expect(response.status === 200, '200', response);
  }),
  c('health/live-body', 'GET /v2/health/live returns {"live": true} or no body', async (server) => {
    const response = await server.get('/v2/health/live');
    if (response.text === '') return 'the body is empty, which is allowed';
    expect(response.json?.live === true, '{"live": true}', response);
  }),
  c(
    'health/ready-body',
    'GET /v2/health/ready returns {"ready": true}',
    async (server) => {
      const response = await server.get('/v2/health/ready');
      expect(response.json?.ready === true, '{"ready": true}', response);
    },
    'kserve',
  ),
  c(
    'health/live-body-kserve',
    'GET /v2/health/live returns {"live": true}',
    async (server) => {
      const response = await server.get('/v2/health/live');
      expect(response.json?.live === true, '{"live": true}', response);
    },
    'kserve',
  ),
  c('health/model-ready', 'a served model is ready', async (server) => {
    const response = await server.get(server.path('/ready'));
    expect(response.status === 200, '200', response);
  }),
  c(
    'health/model-ready-body',
    'the readiness of a model has its name and {"ready": true}',
    async (server) => {
      const response = await server.get(server.path('/ready'));
      expect(response.json?.ready === true, '"ready": true', response);
      expect(response.json?.name === server.model.name, `"name": "${server.model.name}"`, response);
    },
    'kserve',
  ),
  c('health/unknown-model', 'an unknown model is not ready', async (server) => {
    const response = await server.get('/v2/models/no-such-model/ready');
    expect(response.status >= 400 && response.status < 600, '4xx or 503', response);
    expect(response.status < 500 || response.status === 503, '4xx or 503', response);
  }),
  c('health/method', 'POST to a health route is refused', async (server) => {
    const response = await server.post('/v2/health/live', '');
    expect(response.status >= 400 && response.status < 500, '4xx', response);
  }),
  c('metadata/server', 'GET /v2 returns 200 with JSON', async (server) => {
    const response = await server.get('/v2');
    expect(response.status === 200 && response.json !== undefined, '200 with JSON', response);
  }),
  c('metadata/server-name', 'the server has a name', async (server) => {
    const response = await server.get('/v2');
    expect(isNonEmptyString(response.json?.name), '"name": a string', response);
  }),
  c('metadata/server-version', 'the server has a version', async (server) => {
    const response = await server.get('/v2');
    expect(isNonEmptyString(response.json?.version), '"version": a string', response);
  }),
  c('metadata/server-extensions', 'the extensions are a list of strings', async (server) => {
    const response = await server.get('/v2');
    const list = response.json?.extensions;
    expect(
      Array.isArray(list) && list.every(isNonEmptyString),
      '"extensions": a list of strings',
      response,
    );
  }),
  c('metadata/content-type', 'metadata is application/json', async (server) => {
    const response = await server.get('/v2');
    const type = response.headers.get('content-type') ?? '';
    expect(type.startsWith('application/json'), 'Content-Type: application/json', response);
  }),
  c('metadata/model', 'GET /v2/models/{model} returns 200', async (server) => {
    const response = await server.get(server.path());
    expect(response.status === 200, '200', response);
  }),
  c('metadata/model-name', 'a model’s metadata has its name', async (server) => {
    const response = await server.get(server.path());
    expect(response.json?.name === server.model.name, `"name": "${server.model.name}"`, response);
  }),
  c('metadata/model-versions', 'versions are a list of strings', async (server) => {
    const { versions } = (await server.get(server.path())).json;
    if (versions === undefined || versions === null) return 'versions are optional';
    expect(Array.isArray(versions) && versions.every(isNonEmptyString), 'a list of strings');
  }),
  c('metadata/model-platform', 'a model has a platform', async (server) => {
    const response = await server.get(server.path());
    expect(typeof response.json?.platform === 'string', '"platform": a string', response);
  }),
  c(
    'metadata/model-platform-name',
    'an ONNX model’s platform is onnxruntime_onnx',
    async (server) => {
      if (server.model.platform !== undefined && !/onnx/.test(server.model.platform)) {
        return 'the model is not an ONNX model';
      }
      expect(server.model.platform === 'onnxruntime_onnx', '"platform": "onnxruntime_onnx"');
    },
    'triton',
  ),
  ...(['inputs', 'outputs'] as const).flatMap((kind) => [
    c(`metadata/${kind}`, `${kind} are described by name, datatype and shape`, async (server) => {
      const list = server.model[kind];
      expect(Array.isArray(list) && list.length > 0, `"${kind}": a list that is not empty`);
      for (const { name, datatype, shape } of list) {
        expect(
          isNonEmptyString(name) && isNonEmptyString(datatype) && Array.isArray(shape),
          'name, datatype, shape',
        );
      }
    }),
    c(
      `metadata/${kind}-datatypes`,
      `datatypes of ${kind} are those of the protocol`,
      async (server) => {
        for (const { datatype } of server.model[kind]) {
          expect(DATATYPES.includes(datatype), `one of ${DATATYPES}, got ${datatype}`);
        }
      },
    ),
    c(
      `metadata/${kind}-shapes`,
      `shapes of ${kind} are whole numbers, with -1 for dynamic dimensions`,
      async (server) => {
        for (const { shape } of server.model[kind]) {
          expect(
            shape.every((size) => Number.isInteger(size) && size >= -1),
            `sizes, got [${shape}]`,
          );
        }
      },
    ),
  ]),
  c('metadata/version', 'each version has metadata', async (server) => {
    const [version] = server.model.versions ?? [];
    if (version === undefined) return 'the model names no versions';
    const response = await server.get(server.path(`/versions/${version}`));
    expect(response.status === 200 && response.json?.name === server.model.name, '200', response);
  }),
  c('metadata/version-ready', 'each version has a readiness route', async (server) => {
    const [version] = server.model.versions ?? [];
    if (version === undefined) return 'the model names no versions';
    const response = await server.get(server.path(`/versions/${version}/ready`));
    expect(response.status === 200, '200', response);
  }),
  c('metadata/unknown-model', 'an unknown model gets a 404 with an error', async (server) => {
    const response = await server.get('/v2/models/no-such-model');
    expect(response.status === 404 || response.status === 400, '404 (or 400)', response);
    expect(isNonEmptyString(response.json?.error), '{"error": "<message>"}', response);
  }),
  c(
    'metadata/unknown-version',
    'an unknown version gets a 4xx with an error, or a 501 if the server has no versions',
    async (server) => {
      const response = await server.get(server.path('/versions/987654'));
      const versioned = (server.model.versions?.length ?? 0) > 0;
      const refused = response.status >= 400 && response.status < 500;
      expect(refused || (response.status === 501 && !versioned), '4xx', response);
      expect(isNonEmptyString(response.json?.error), '{"error": "<message>"}', response);
    },
  ),
  c('metadata/unknown-route', 'an unknown route gets a 404', async (server) => {
    const response = await server.get('/v2/no-such-route');
    expect(response.status === 404, '404', response);
  }),
  c(
    'metadata/models',
    'GET /v2/models lists the models',
    async (server) => {
      const response = await server.get('/v2/models');
      expect(
        response.json?.models?.includes(server.model.name),
        `"${server.model.name}" in it`,
        response,
      );
    },
    'kserve',
  ),
  c('metadata/encoded-name', 'a name in the path is decoded', async (server) => {
    const [first = '', ...rest] = server.model.name;
    const code = `%${first.charCodeAt(0).toString(16)}`;
    const response = await server.get(`/v2/models/${code}${rest.join('')}`);
    expect(response.status === 200, '200', response);
  }),
];
