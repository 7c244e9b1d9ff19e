/** @module Cases for the binary tensor data extension: a JSON header, followed by the tensors. */

import { type Case, define, expect, expectRefused } from '../case.ts';
import { elementCount, type Server } from '../server.ts';
import { binaryBody, binaryData, elementBytes, splitResponse } from '../wire.ts';

const HEADER = 'Inference-Header-Content-Length';

const c = define('binary/', 'triton');

/** A valid request with every input in binary. */
function request(server: Server, more: object = {}) {
  const inputs = server.inputs();
  const blobs = inputs.map(binaryData);
  const json = {
    ...more,
    inputs: inputs.map(({ name, datatype, shape }, index) => ({
      name,
      datatype,
      shape,
      parameters: { binary_data_size: blobs[index]!.length },
    })),
  };
  return { ...binaryBody(json, blobs), json, blobs };
}

const send = (server: Server, body: Uint8Array, length: number | string) =>
  server.infer(body, { [HEADER]: String(length), 'Content-Type': 'application/octet-stream' });

const allBinary = (server: Server) => ({
  outputs: server.model.outputs.map(({ name }) => ({ name, parameters: { binary_data: true } })),
});

export const binaryCases: readonly Case[] = [
  c('announced', 'the server lists the extension', async (server) => {
    const response = await server.get('/v2');
    expect(
      response.json?.extensions?.includes('binary_tensor_data'),
      'binary_tensor_data',
      response,
    );
  }),
  c('in', 'inputs in binary get a 200', async (server) => {
    const { body, length } = request(server);
    const response = await send(server, body, length);
    expect(response.status === 200, '200', response);
  }),
  c('in-equals-json', 'inputs in binary and in JSON get the same response', async (server) => {
    const { body, length } = request(server);
    const binary = await send(server, body, length);
    const json = await server.infer({ inputs: server.inputs() });
    expect(
      JSON.stringify(binary.json?.outputs) === JSON.stringify(json.json?.outputs),
      'equal outputs',
      binary,
    );
  }),
  c(
    'without-content-type',
    'the content type of a binary request does not matter',
    async (server) => {
      const { body, length } = request(server);
      const response = await server.infer(body, { [HEADER]: String(length) });
      expect(response.status === 200, '200', response);
    },
  ),
  c('out', 'outputs are in binary if the request asks for it', async (server) => {
    const response = await server.infer({ inputs: server.inputs(), ...allBinary(server) });
    expect(response.status === 200, '200', response);
    expect(splitResponse(response) !== undefined, `the header ${HEADER}`, response);
  }),
  c('out-content-type', 'a binary response is application/octet-stream', async (server) => {
    const response = await server.infer({ inputs: server.inputs(), ...allBinary(server) });
    expect(
      response.headers.get('content-type') === 'application/octet-stream',
      'application/octet-stream',
      response,
    );
  }),
  c('out-sizes', 'the sizes in the response add up to its data', async (server) => {
    const response = await server.infer({ inputs: server.inputs(), ...allBinary(server) });
    const split = splitResponse(response);
    expect(split !== undefined, 'a binary response', response);
    const sizes = split.json.outputs.map(
      (output: { parameters?: { binary_data_size?: number } }) =>
        output.parameters?.binary_data_size,
    );
    expect(sizes.every(Number.isInteger), 'binary_data_size of each output', response);
    const sum = sizes.reduce((a: number, b: number) => a + b, 0);
    expect(sum === split.data.length, `${split.data.length} bytes, got sizes of ${sum}`, response);
  }),
  c('out-elements', 'the size of an output follows from its shape and datatype', async (server) => {
    const response = await server.infer({ inputs: server.inputs(), ...allBinary(server) });
    const split = splitResponse(response);
    expect(split !== undefined, 'a binary response', response);
    for (const { name, datatype, shape, parameters } of split.json.outputs) {
      const size = elementBytes(datatype);
      if (size === undefined) continue;
      expect(
        parameters.binary_data_size === size * elementCount(shape),
        `the size of ${name}`,
        response,
      );
    }
  }),
  c('out-no-data', 'a binary output has no data in the JSON', async (server) => {
    const response = await server.infer({ inputs: server.inputs(), ...allBinary(server) });
    const split = splitResponse(response);
    expect(split !== undefined, 'a binary response', response);
    expect(
      split.json.outputs.every((output: object) => !('data' in output)),
      'no "data"',
      response,
    );
  }),
  c('both-ways', 'a request may have binary inputs and outputs', async (server) => {
    const { body, length } = request(server, allBinary(server));
    const response = await send(server, body, length);
    expect(
      response.status === 200 && splitResponse(response) !== undefined,
      'a binary response',
      response,
    );
  }),
  c('default', 'binary_data_output makes every output binary', async (server) => {
    const parameters = { binary_data_output: true };
    const response = await server.infer({ inputs: server.inputs(), parameters });
    expect(splitResponse(response) !== undefined, 'a binary response', response);
  }),
  c('default-off', 'binary_data_output false leaves outputs in JSON', async (server) => {
    const parameters = { binary_data_output: false };
    const response = await server.infer({ inputs: server.inputs(), parameters });
    expect(Array.isArray(response.json?.outputs?.[0]?.data), 'data in JSON', response);
  }),
  c('json-out', 'an output with binary_data false is in JSON', async (server) => {
    const outputs = server.model.outputs.map(({ name }) => ({
      name,
      parameters: { binary_data: false },
    }));
    const response = await server.infer({ inputs: server.inputs(), outputs });
    expect(Array.isArray(response.json?.outputs?.[0]?.data), 'data in JSON', response);
  }),
  c('mixed-in', 'a request may have inputs in JSON and in binary', async (server) => {
    const inputs = server.inputs();
    if (inputs.length < 2) return 'the model has one input';
    const blob = binaryData(inputs.at(-1)!);
    const { data: _, ...last } = inputs.at(-1)!;
    const mixed = [
      ...inputs.slice(0, -1),
      { ...last, parameters: { binary_data_size: blob.length } },
    ];
    const { body, length } = binaryBody({ inputs: mixed }, [blob]);
    const response = await send(server, body, length);
    expect(response.status === 200, '200', response);
  }),
  c('mixed-out', 'a response may have outputs in JSON and in binary', async (server) => {
    const [first, ...rest] = server.model.outputs;
    if (rest.length === 0) return 'the model has one output';
    const outputs = [
      { name: first!.name, parameters: { binary_data: true } },
      ...rest.map(({ name }) => ({ name })),
    ];
    const split = splitResponse(await server.infer({ inputs: server.inputs(), outputs }));
    expect(split !== undefined && 'data' in split.json.outputs[1], 'one binary, one in JSON');
  }),
  c('length-zero-data', 'the header may span the whole body', async (server) => {
    const text = new TextEncoder().encode(JSON.stringify({ inputs: server.inputs() }));
    const response = await send(server, text, text.length);
    expect(response.status === 200, '200', response);
  }),
  c('raw', 'a body without JSON is the data of the only input', async (server) => {
    const { inputs } = server.model;
    const open = inputs[0]!.shape.slice(1).filter((size) => size === -1).length;
    if (inputs.length > 1 || open > 1 || inputs[0]!.datatype === 'BYTES') {
      return 'the model has several inputs, dynamic dimensions, or strings';
    }
    const response = await send(server, binaryData(server.inputs()[0]!), 0);
    expect(
      response.status === 200 && splitResponse(response) !== undefined,
      'a binary response',
      response,
    );
  }),
  ...(
    [
      ['header-text', 'a length that is not a number', (size: number) => `x${size}`],
      ['header-negative', 'a negative length', () => '-1'],
      [
        'header-too-long',
        'a length that exceeds the body',
        (_: number, whole: number) => String(whole + 1),
      ],
      ['header-huge', 'a length that exceeds every integer type', () => '99999999999999999999'],
      ['header-short', 'a length that ends within the JSON', (size: number) => String(size - 1)],
      ['header-long', 'a length that reaches into the data', (size: number) => String(size + 1)],
    ] as const
  ).map(([id, title, length]) =>
    c(`wrong/${id}`, `${title} is refused with a 4xx`, async (server) => {
      const right = request(server);
      if (right.body.length === right.length) return 'the inputs have no bytes';
      expectRefused(await send(server, right.body, length(right.length, right.body.length)));
      const response = await send(server, right.body, right.length);
      expect(response.status === 200, '200 afterwards', response);
    }),
  ),
  ...(
    [
      ['size-small', 'a binary_data_size below what the shape needs', -1],
      ['size-large', 'a binary_data_size that exceeds the body', 1],
      ['size-huge', 'a binary_data_size that exceeds any memory', 2 ** 52],
    ] as const
  ).map(([id, title, more]) =>
    c(`wrong/${id}`, `${title} is refused with a 4xx`, async (server) => {
      const { json, blobs } = request(server);
      const [input, ...rest] = json.inputs;
      const size = Math.max(input!.parameters.binary_data_size + more, 0);
      const wrong = { ...input!, parameters: { binary_data_size: size } };
      const { body, length } = binaryBody({ inputs: [wrong, ...rest] }, blobs);
      expectRefused(await send(server, body, length));
    }),
  ),
  c(
    'wrong/size-text',
    'a binary_data_size that is a string is refused with a 4xx',
    async (server) => {
      const { json, blobs } = request(server);
      const inputs = json.inputs.map((input) => ({
        ...input,
        parameters: { binary_data_size: 'all' },
      }));
      const { body, length } = binaryBody({ inputs }, blobs);
      expectRefused(await send(server, body, length));
    },
  ),
  c('wrong/data-and-size', 'data beside binary_data_size is refused with a 4xx', async (server) => {
    const { json, blobs } = request(server);
    const data = server.inputs()[0]!.data;
    const [input, ...rest] = json.inputs;
    const { body, length } = binaryBody({ inputs: [{ ...input, data }, ...rest] }, blobs);
    expectRefused(await send(server, body, length));
  }),
  c('wrong/left-over', 'data that belongs to no input is refused with a 4xx', async (server) => {
    const { body, length } = request(server);
    expectRefused(await send(server, Buffer.concat([body, Uint8Array.of(1, 2, 3)]), length));
  }),
  c('wrong/cut-short', 'data that is cut short is refused with a 4xx', async (server) => {
    const { body, length } = request(server);
    if (body.length === length) return 'the inputs have no bytes';
    expectRefused(await send(server, body.subarray(0, body.length - 1), length));
  }),
];
