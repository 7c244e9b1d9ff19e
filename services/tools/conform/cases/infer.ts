/** @module Cases for valid infer requests in JSON. */

import { type Case, define, expect } from '../case.ts';
import type { Answer, JsonInput, Server } from '../server.ts';

const right = async (server: Server): Promise<Answer> => {
  const answer = await server.infer({ inputs: server.inputs() });
  expect(answer.status === 200, '200', answer);
  return answer;
};

const c = define('infer/', 'core');

const product = (shape: readonly number[]) => shape.reduce((a, b) => a * b, 1);

export const inferCases: readonly Case[] = [
  c('json', 'a valid request in JSON gets a 200', async (server) => void (await right(server))),
  c('model-name', 'the response names the model', async (server) => {
    const answer = await right(server);
    expect(answer.json?.model_name === server.model.name, `"${server.model.name}"`, answer);
  }),
  c('model-version', 'the version in the response is a string', async (server) => {
    const answer = await right(server);
    const version = answer.json?.model_version;
    if (version === undefined || version === null) return 'the version is optional';
    expect(typeof version === 'string', '"model_version": a text', answer);
  }),
  c('outputs', 'every output is in the response', async (server) => {
    const answer = await right(server);
    const got = answer.json?.outputs?.map(({ name }: { name: string }) => name) ?? [];
    for (const { name } of server.model.outputs)
      expect(got.includes(name), `output ${name}`, answer);
  }),
  c('output-datatypes', 'outputs have the datatypes that the metadata tells', async (server) => {
    const answer = await right(server);
    for (const { name, datatype } of server.model.outputs) {
      const output = answer.json.outputs.find((each: { name: string }) => each.name === name);
      expect(output?.datatype === datatype, `${name}: ${datatype}`, answer);
    }
  }),
  c('output-shapes', 'outputs have a shape, and as many elements as it says', async (server) => {
    const answer = await right(server);
    for (const { name, shape, data } of answer.json.outputs) {
      expect(Array.isArray(shape), `a shape of ${name}`, answer);
      expect(Array.isArray(data), `data of ${name}`, answer);
      expect(
        data.flat(99).length === product(shape),
        `${product(shape)} elements of ${name}`,
        answer,
      );
    }
  }),
  c('output-ranks', 'shapes of outputs agree with the metadata', async (server) => {
    const answer = await right(server);
    for (const { name, shape } of server.model.outputs) {
      const output = answer.json.outputs.find((each: { name: string }) => each.name === name);
      const fits = shape.every((size, axis) => size === -1 || size === output.shape[axis]);
      expect(fits && shape.length === output.shape.length, `${name}: [${shape}]`, answer);
    }
  }),
  c('content-type', 'a response in JSON is application/json', async (server) => {
    const answer = await right(server);
    const type = answer.headers.get('content-type') ?? '';
    expect(type.startsWith('application/json'), 'Content-Type: application/json', answer);
  }),
  c('id', 'the request’s id comes back', async (server) => {
    const answer = await server.infer({ id: 'conform-1', inputs: server.inputs() });
    expect(answer.json?.id === 'conform-1', '"id": "conform-1"', answer);
  }),
  c('id-text', 'an id may hold any text', async (server) => {
    const id = 'ä "quoted" \\ / 1';
    const answer = await server.infer({ id, inputs: server.inputs() });
    expect(answer.json?.id === id, `"id": ${JSON.stringify(id)}`, answer);
  }),
  c(
    'no-id',
    'without an id the response has no id, or one that the server made',
    async (server) => {
      const { json } = await right(server);
      expect(json.id === undefined || typeof json.id === 'string', 'no id, or a text');
    },
  ),
  c('version', 'a version can be named in the path', async (server) => {
    const [version] = server.model.versions ?? [];
    if (version === undefined) return 'the model names no versions';
    const path = server.path(`/versions/${version}/infer`);
    const answer = await server.post(path, { inputs: server.inputs() });
    expect(answer.status === 200, '200', answer);
  }),
  c('nested-data', 'data may be nested as the shape is', async (server) => {
    const inputs = server.inputs().map((input) => ({ ...input, data: nest(input) }));
    const answer = await server.infer({ inputs });
    expect(answer.status === 200, '200', answer);
  }),
  c('chosen-outputs', 'only the listed outputs are returned', async (server) => {
    const name = server.model.outputs[0]!.name;
    const answer = await server.infer({ inputs: server.inputs(), outputs: [{ name }] });
    expect(answer.status === 200, '200', answer);
    expect(answer.json.outputs.length === 1 && answer.json.outputs[0].name === name, name, answer);
  }),
  c('rows', 'several rows in one request get as many in the response', async (server) => {
    if (!server.model.inputs.every(({ shape }) => shape[0] === -1))
      return 'the model takes no rows';
    const inputs = server.inputs().map(({ name, datatype, shape, data = [] }) => ({
      name,
      datatype,
      shape: [2, ...shape.slice(1)],
      data: [...data, ...data],
    }));
    const answer = await server.infer({ inputs });
    expect(answer.status === 200, '200', answer);
    for (const [index, { shape }] of server.model.outputs.entries()) {
      if (shape[0] !== -1) continue;
      expect(answer.json.outputs[index].shape[0] === 2, 'two rows', answer);
    }
  }),
  c('order', 'the order of inputs does not matter', async (server) => {
    if (server.model.inputs.length < 2) return 'the model has one input';
    const answer = await server.infer({ inputs: server.inputs().toReversed() });
    expect(answer.status === 200, '200', answer);
  }),
  c('same-twice', 'the same request gets the same response', async (server) => {
    const [one, two] = [await right(server), await right(server)];
    const data = (answer: Answer) => JSON.stringify(answer.json.outputs);
    expect(data(one) === data(two), 'equal outputs', two);
  }),
  c(
    'unknown-parameters',
    'request parameters that a server does not know are ignored',
    async (server) => {
      const parameters = { custom: 'x', another: 3, third: true };
      const answer = await server.infer({ inputs: server.inputs(), parameters });
      expect(answer.status === 200, '200', answer);
    },
  ),
  c('whitespace', 'JSON may be written with spaces and lines', async (server) => {
    const answer = await server.infer(JSON.stringify({ inputs: server.inputs() }, null, 4));
    expect(answer.status === 200, '200', answer);
  }),
  c('escapes', 'keys and values may be written with escapes', async (server) => {
    const text = JSON.stringify({ inputs: server.inputs() }).replace('"inputs"', '"\\u0069nputs"');
    const answer = await server.infer(text);
    expect(answer.status === 200, '200', answer);
  }),
  c('many', 'a hundred requests at once all get a response', async (server) => {
    const answers = await Promise.all(Array.from({ length: 100 }, () => right(server)));
    const first = JSON.stringify(answers[0]!.json.outputs);
    const other = answers.find(({ json }) => JSON.stringify(json.outputs) !== first);
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
