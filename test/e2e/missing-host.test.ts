/** @module Tests requests without a valid `Host`, as the HTTP/1.0 health checks of load balancers are. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { RawClient, type RawResponse } from '../support/raw-http.ts';
import { start } from './support.ts';

const MODELS = { f: { versions: { '1': 'test/fixtures/models/identity-float32.onnx' } } };
const BODY = '{"inputs":[{"name":"x","datatype":"FP32","shape":[1,3],"data":[1,2,3]}]}';

/** The rest of the request line, and the `Host` header. */
const ENDS = {
  'HTTP/1.0 without Host': ' HTTP/1.0\r\n',
  'HTTP/1.1 with an empty Host': ' HTTP/1.1\r\nHost:\r\n',
  'HTTP/1.1 with an invalid Host': ' HTTP/1.1\r\nHost: a b\r\n',
};

async function ask(port: number, text: string): Promise<RawResponse> {
  using client = new RawClient(port);
  client.send(text);
  const response = await client.response();
  assert.ok(response !== undefined, `there is a response to ${text}`);
  return response;
}

const withBody = (body: string) => `Content-Length: ${body.length}\r\n\r\n${body}`;

test('requests without a valid Host find their routes', async () => {
  await using service = await start({ SERVICE: 'inference', GRPC_PORT: '0' }, MODELS);
  for (const [name, end] of Object.entries(ENDS)) {
    const get = (path: string) => ask(service.port, `GET ${path}${end}\r\n`);
    for (const path of ['/alive', '/ready?verbose', '/v2/health/live', '/v2/models/f/ready']) {
      const { status, body } = await get(path);
      assert.equal(status, 200, `${name}: ${path}: ${body}`);
    }
    assert.equal(JSON.parse((await get('/v2/models/f/versions/1')).body).name, 'f', name);
    assert.equal((await get('/v2/unknown')).status, 404, name);
    for (const model of ['f', 'f/versions/1', '%66']) {
      const line = `POST /v2/models/${model}/infer${end}`;
      const { status, body } = await ask(service.port, line + withBody(BODY));
      assert.equal(status, 200, `${line}: ${body}`);
      assert.deepEqual(JSON.parse(body).outputs[0].data, [1, 2, 3]);
    }
  }
});

test('a route that the host does not match itself reads the body of a request without Host', async () => {
  const env = { SERVICE: 'inference', GRPC_PORT: '0', MODEL_CONTROL_MODE: 'explicit' };
  await using service = await start(env, MODELS);
  const index = async (body: string) => {
    const line = 'POST /v2/repository/index HTTP/1.0\r\n';
    const response = await ask(service.port, line + withBody(body));
    assert.equal(response.status, 200, response.body);
    return JSON.parse(response.body).length;
  };
  assert.equal(await index('{"ready":false}'), 1);
  assert.equal(await index('{"ready":true}'), 0);
});
