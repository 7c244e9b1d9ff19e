/** @module Cases for valid infer requests in JSON. */

import { type Case, define, expect } from '../case.ts';
import { elementCount, type HttpResponse, type JsonInput, type Server } from '../server.ts';

const right = async (server: Server): Promise<HttpResponse> => {
  const response = await server.infer({ inputs: server.inputs() });
  expect(response.status === 200, '200', response);
  return response;
};

const c = define('infer/', 'core');

export const inferCases: readonly Case[] = [
  c('json', 'a valid request in JSON gets a 200', async (server) => void (await right(server))),
  c('model-name', 'the response names the model', async (server) => {
    const response = await right(server);
    expect(response.json?.model_name === server.model.name, `"${server.model.name}"`, response);
  }),
  c('model-version', 'the version in the response is a string', async (server) => {
    const response = await right(server);
    const version = response.json?.model_version;
    if (version === undefined || version === null) return 'the version is optional';
    expect(typeof version === 'string', '"model_version": a string', response);
  }),
  c('outputs', 'every output is in the response', async (server) => {
    const response = await right(server);
    const got = response.json?.outputs?.map(({ name }: { name: string }) => name) ?? [];
    for (const { name } of server.model.outputs)
      expect(got.includes(name), `output ${name}`, response);
  }),
  c('output-datatypes', 'outputs have the datatypes of the metadata', async (server) => {
    const response = await right(server);
    for (const { name, datatype } of server.model.outputs) {
      const output = response.json.outputs.find((each: { name: string }) => each.name === name);
      expect(output?.datatype === datatype, `${name}: ${datatype}`, response);
    }
  }),
  c(
    'output-shapes',
    'outputs have a shape, and the number of elements that it holds',
    async (server) => {
      const response = await right(server);
      for (const { name, shape, data } of response.json.outputs) {
        expect(Array.isArray(shape), `a shape of ${name}`, response);
        expect(Array.isArray(data), `data of ${name}`, response);
        expect(
          data.flat(99).length === elementCount(shape),
          `${elementCount(shape)} elements of ${name}`,
          response,
        );
      }
    },
  ),
  c('output-ranks', 'shapes of outputs agree with the metadata', async (server) => {
    const response = await right(server);
    for (const { name, shape } of server.model.outputs) {
      const output = response.json.outputs.find((each: { name: string }) => each.name === name);
      const fits = shape.every((size, axis) => size === -1 || size === output.shape[axis]);
      expect(fits && shape.length === output.shape.length, `${name}: [${shape}]`, response);
    }
  }),
  c('content-type', 'a response in JSON is application/json', async (server) => {
    const response = await right(server);
    const type = response.headers.get('content-type') ?? '';
    expect(type.startsWith('application/json'), 'Content-Type: application/json', response);
  }),
  c('id', 'the response has the id of the request', async (server) => {
    const response = await server.infer({ id: 'conform-1', inputs: server.inputs() });
    expect(response.json?.id === 'conform-1', '"id": "conform-1"', response);
  }),
  c('id-text', 'an id may contain quotes, backslashes and letters beyond ASCII', async (server) => {
    const id = 'ä "quoted" \\ / 1';
    const response = await server.infer({ id, inputs: server.inputs() });
    expect(response.json?.id === id, `"id": ${JSON.stringify(id)}`, response);
  }),
  c(
    'no-id',
    'without an id the response has no id, or one that the server made',
    async (server) => {
      const { json } = await right(server);
      expect(json.id === undefined || typeof json.id === 'string', 'no id, or a string');
    },
  ),
  c('version', 'a version can be named in the path', async (server) => {
    const [version] = server.model.versions ?? [];
    if (version === undefined) return 'the model names no versions';
    const path = server.path(`/versions/${version}/infer`);
    const response = await server.post(path, { inputs: server.inputs() });
    expect(response.status === 200, '200', response);
  }),
  c('nested-data', 'data may be lists nested by the shape', async (server) => {
    const inputs = server.inputs().map((input) => ({ ...input, data: nest(input) }));
    const response = await server.infer({ inputs });
    expect(response.status === 200, '200', response);
  }),
  c('chosen-outputs', 'only the listed outputs are returned', async (server) => {
    const name = server.model.outputs[0]!.name;
    const response = await server.infer({ inputs: server.inputs(), outputs: [{ name }] });
    expect(response.status === 200, '200', response);
    expect(
      response.json.outputs.length === 1 && response.json.outputs[0].name === name,
      name,
      response,
    );
  }),
  c('rows', 'several rows in one request get as many in the response', async (server) => {
    if (!server.model.inputs.every(({ shape }) => shape[0] === -1))
      return 'dimension 0 of the inputs is fixed';
    const inputs = server.inputs().map(({ name, datatype, shape, data = [] }) => ({
      name,
      datatype,
      shape: [2, ...shape.slice(1)],
      data: [...data, ...data],
    }));
    const response = await server.infer({ inputs });
    expect(response.status === 200, '200', response);
    for (const [index, { shape }] of server.model.outputs.entries()) {
      if (shape[0] !== -1) continue;
      expect(response.json.outputs[index].shape[0] === 2, 'two rows', response);
    }
  }),
  c('order', 'the order of inputs does not matter', async (server) => {
    if (server.model.inputs.length < 2) return 'the model has one input';
    const response = await server.infer({ inputs: server.inputs().toReversed() });
    expect(response.status === 200, '200', response);
  }),
  c('same-twice', 'the same request gets the same response', async (server) => {
    const [one, two] = [await right(server), await right(server)];
    const data = (response: HttpResponse) => JSON.stringify(response.json.outputs);
    expect(data(one) === data(two), 'equal outputs', two);
  }),
  c(
    'unknown-parameters',
    'request parameters that a server does not know are ignored',
    async (server) => {
      const parameters = { custom: 'x', another: 3, third: true };
      const response = await server.infer({ inputs: server.inputs(), parameters });
      expect(response.status === 200, '200', response);
    },
  ),
  c('whitespace', 'JSON may contain spaces and line breaks', async (server) => {
    const response = await server.infer(JSON.stringify({ inputs: server.inputs() }, null, 4));
    expect(response.status === 200, '200', response);
  }),
  c('escapes', 'names of members may contain escapes', async (server) => {
    const text = JSON.stringify({ inputs: server.inputs() }).replace('"inputs"', '"\\u0069nputs"');
    const response = await server.infer(text);
    expect(response.status === 200, '200', response);
  }),
  c('many', 'a hundred requests at once all get a response', async (server) => {
    const responses = await Promise.all(Array.from({ length: 100 }, () => right(server)));
    const first = JSON.stringify(responses[0]!.json.outputs);
    const other = responses.find(({ json }) => JSON.stringify(json.outputs) !== first);
    expect(other === undefined, 'equal outputs', other);
  }),
];

function nest({ shape, data = [] }: JsonInput): readonly unknown[] {
  return shape
    .slice(1)
    .reduceRight<readonly unknown[]>(
      (values, size) =>
        size === 0
          ? []
          : Array.from({ length: values.length / size }, (_, i) =>
              values.slice(i * size, (i + 1) * size),
            ),
      data,
    );
}
