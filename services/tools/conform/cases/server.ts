/** @module Cases for health, and for the metadata of the server and its models. */

import { type Case, define, expect } from '../case.ts';

const c = define('', 'core');

const DATATYPES = [
  ...['BOOL', 'UINT8', 'UINT16', 'UINT32', 'UINT64', 'INT8', 'INT16', 'INT32', 'INT64'],
  ...['FP16', 'FP32', 'FP64', 'BYTES', 'BF16'],
];

const isText = (value: unknown): value is string => typeof value === 'string' && value !== '';

export const serverCases: readonly Case[] = [
  c('health/live', 'GET /v2/health/live returns 200', async (server) => {
    const answer = await server.get('/v2/health/live');
    expect(answer.status === 200, '200', answer);
  }),
  c('health/ready', 'GET /v2/health/ready returns 200 while models are served', async (server) => {
    const answer = await server.get('/v2/health/ready');
    expect(answer.status === 200, '200', answer);
  }),
  c('health/live-body', 'a body of /v2/health/live is {"live": true}', async (server) => {
    const answer = await server.get('/v2/health/live');
    if (answer.text === '') return 'the body is empty, which is allowed';
    expect(answer.json?.live === true, '{"live": true}', answer);
  }),
  c(
    'health/ready-body',
    'GET /v2/health/ready tells {"ready": true}',
    async (server) => {
      const answer = await server.get('/v2/health/ready');
      expect(answer.json?.ready === true, '{"ready": true}', answer);
    },
    'kserve',
  ),
  c(
    'health/live-body-kserve',
    'GET /v2/health/live tells {"live": true}',
    async (server) => {
      const answer = await server.get('/v2/health/live');
      expect(answer.json?.live === true, '{"live": true}', answer);
    },
    'kserve',
  ),
  c('health/model-ready', 'a served model is ready', async (server) => {
    const answer = await server.get(server.path('/ready'));
    expect(answer.status === 200, '200', answer);
  }),
  c(
    'health/model-ready-body',
    'its readiness tells name and {"ready": true}',
    async (server) => {
      const answer = await server.get(server.path('/ready'));
      expect(answer.json?.ready === true, '"ready": true', answer);
      expect(answer.json?.name === server.model.name, `"name": "${server.model.name}"`, answer);
    },
    'kserve',
  ),
  c('health/unknown-model', 'an unknown model is not ready', async (server) => {
    const answer = await server.get('/v2/models/no-such-model/ready');
    expect(answer.status >= 400 && answer.status < 600, '4xx or 503', answer);
    expect(answer.status < 500 || answer.status === 503, '4xx or 503', answer);
  }),
  c('health/method', 'POST to a health route is refused', async (server) => {
    const answer = await server.post('/v2/health/live', '');
    expect(answer.status >= 400 && answer.status < 500, '4xx', answer);
  }),
  c('metadata/server', 'GET /v2 returns 200 with JSON', async (server) => {
    const answer = await server.get('/v2');
    expect(answer.status === 200 && answer.json !== undefined, '200 with JSON', answer);
  }),
  c('metadata/server-name', 'the server has a name', async (server) => {
    const answer = await server.get('/v2');
    expect(isText(answer.json?.name), '"name": a text', answer);
  }),
  c('metadata/server-version', 'the server has a version', async (server) => {
    const answer = await server.get('/v2');
    expect(isText(answer.json?.version), '"version": a text', answer);
  }),
  c('metadata/server-extensions', 'the extensions are a list of strings', async (server) => {
    const answer = await server.get('/v2');
    const list = answer.json?.extensions;
    expect(Array.isArray(list) && list.every(isText), '"extensions": a list of texts', answer);
  }),
  c('metadata/content-type', 'metadata is application/json', async (server) => {
    const answer = await server.get('/v2');
    const type = answer.headers.get('content-type') ?? '';
    expect(type.startsWith('application/json'), 'Content-Type: application/json', answer);
  }),
  c('metadata/model', 'GET /v2/models/{model} returns 200', async (server) => {
    const answer = await server.get(server.path());
    expect(answer.status === 200, '200', answer);
  }),
  c('metadata/model-name', 'a model’s metadata has its name', async (server) => {
    const answer = await server.get(server.path());
    expect(answer.json?.name === server.model.name, `"name": "${server.model.name}"`, answer);
  }),
  c('metadata/model-versions', 'versions are a list of strings', async (server) => {
    const { versions } = (await server.get(server.path())).json;
    if (versions === undefined || versions === null) return 'versions are optional';
    expect(Array.isArray(versions) && versions.every(isText), 'a list of texts');
  }),
  c('metadata/model-platform', 'a model has a platform', async (server) => {
    const answer = await server.get(server.path());
    expect(typeof answer.json?.platform === 'string', '"platform": a text', answer);
  }),
  c(
    'metadata/model-platform-name',
    'an ONNX model’s platform is onnxruntime_onnx',
    async (server) => {
      if (server.model.platform !== undefined && !/onnx/.test(server.model.platform)) {
        return 'the model is no ONNX model';
      }
      expect(server.model.platform === 'onnxruntime_onnx', '"platform": "onnxruntime_onnx"');
    },
    'triton',
  ),
  ...(['inputs', 'outputs'] as const).flatMap((kind) => [
    c(`metadata/${kind}`, `${kind} are described by name, datatype and shape`, async (server) => {
      const list = server.model[kind];
      expect(Array.isArray(list) && list.length > 0, `"${kind}": a list with something in it`);
      for (const { name, datatype, shape } of list) {
        expect(isText(name) && isText(datatype) && Array.isArray(shape), 'name, datatype, shape');
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
      `sizes of ${kind} are whole numbers, -1 where they are open`,
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
    const answer = await server.get(server.path(`/versions/${version}`));
    expect(answer.status === 200 && answer.json?.name === server.model.name, '200', answer);
  }),
  c('metadata/version-ready', 'each version has a readiness route', async (server) => {
    const [version] = server.model.versions ?? [];
    if (version === undefined) return 'the model names no versions';
    const answer = await server.get(server.path(`/versions/${version}/ready`));
    expect(answer.status === 200, '200', answer);
  }),
  c('metadata/unknown-model', 'an unknown model is a 404 with an error', async (server) => {
    const answer = await server.get('/v2/models/no-such-model');
    expect(answer.status === 404 || answer.status === 400, '404 (or 400)', answer);
    expect(isText(answer.json?.error), '{"error": "<message>"}', answer);
  }),
  c(
    'metadata/unknown-version',
    'an unknown version is a 4xx with an error, or a 501 if the server has no versions',
    async (server) => {
      const answer = await server.get(server.path('/versions/987654'));
      const versioned = (server.model.versions?.length ?? 0) > 0;
      const refused = answer.status >= 400 && answer.status < 500;
      expect(refused || (answer.status === 501 && !versioned), '4xx', answer);
      expect(isText(answer.json?.error), '{"error": "<message>"}', answer);
    },
  ),
  c('metadata/unknown-route', 'an unknown route is a 404', async (server) => {
    const answer = await server.get('/v2/no-such-route');
    expect(answer.status === 404, '404', answer);
  }),
  c(
    'metadata/models',
    'GET /v2/models lists the models',
    async (server) => {
      const answer = await server.get('/v2/models');
      expect(
        answer.json?.models?.includes(server.model.name),
        `"${server.model.name}" in it`,
        answer,
      );
    },
    'kserve',
  ),
  c('metadata/encoded-name', 'a name in the path is decoded', async (server) => {
    const [first = '', ...rest] = server.model.name;
    const code = `%${first.charCodeAt(0).toString(16)}`;
    const answer = await server.get(`/v2/models/${code}${rest.join('')}`);
    expect(answer.status === 200, '200', answer);
  }),
];
