/** @module Cases for invalid infer requests in JSON: the server returns an error and continues to work. */

import { type Case, define, expect, expectReason } from '../case.ts';
import type { JsonInput, Server } from '../server.ts';

const c = define('infer/', 'core');

/** Mistakes that the protocol does not require a server to notice. */
const TOLERABLE = [
  ...['unknown-input', 'input-twice', 'wrong-datatype', 'lower-case-datatype'],
  'unknown-output',
];

type Change = (inputs: JsonInput[], server: Server) => unknown;

const first =
  (change: (input: JsonInput) => object): Change =>
  ([input, ...rest]) => ({
    inputs: [change(input!), ...rest],
  });

/** Mistakes that clients make, each as a body derived from a valid one. */
const MISTAKES: Readonly<Record<string, readonly [title: string, body: Change]>> = {
  'no-json': ['a body that is not JSON', () => '{"inputs": ['],
  'empty-body': ['an empty body', () => ''],
  array: ['a body that is a list', () => '[]'],
  text: ['a body that is a string', () => '"inputs"'],
  number: ['a body that is a number', () => '7'],
  null: ['a body that is null', () => 'null'],
  'trailing-text': ['text after the JSON', (inputs) => `${JSON.stringify({ inputs })} x`],
  'no-inputs': ['a request without inputs', () => ({})],
  'empty-inputs': ['an empty list of inputs', () => ({ inputs: [] })],
  'inputs-object': ['inputs that are not a list', () => ({ inputs: {} })],
  'inputs-of-numbers': ['inputs that are not objects', () => ({ inputs: [1, 2] })],
  'unknown-input': [
    'an input that the model does not have',
    first((input) => ({ ...input, name: 'no-such-input' })),
  ],
  'missing-input': ['a missing input', (inputs) => ({ inputs: inputs.slice(1) })],
  'input-twice': [
    'an input given twice',
    ([input, ...rest]) => ({ inputs: [input, input, ...rest] }),
  ],
  'no-name': ['an input without a name', first(({ name: _, ...input }) => input)],
  'no-datatype': ['an input without a datatype', first(({ datatype: _, ...input }) => input)],
  'no-shape': ['an input without a shape', first(({ shape: _, ...input }) => input)],
  'no-data': ['an input without data', first(({ data: _, ...input }) => input)],
  'name-number': ['a name that is a number', first((input) => ({ ...input, name: 7 }))],
  'unknown-datatype': [
    'a datatype that does not exist',
    first((input) => ({ ...input, datatype: 'FP31' })),
  ],
  'wrong-datatype': [
    'a datatype that is not the input’s',
    first((input) => ({ ...input, datatype: input.datatype === 'INT8' ? 'UINT8' : 'INT8' })),
  ],
  'lower-case-datatype': [
    'a datatype in lower case',
    first((input) => ({ ...input, datatype: input.datatype.toLowerCase() })),
  ],
  'shape-text': ['a shape that is a string', first((input) => ({ ...input, shape: '1' }))],
  'negative-size': [
    'a negative size',
    first((input) => ({ ...input, shape: [-1, ...input.shape.slice(1)] })),
  ],
  'fractional-size': [
    'a size that is a fraction',
    first((input) => ({ ...input, shape: [1.5, ...input.shape.slice(1)] })),
  ],
  'huge-size': [
    'sizes whose product overflows',
    first((input) => ({ ...input, shape: [2 ** 40, 2 ** 40] })),
  ],
  'wrong-rank': [
    'a shape with too many sizes',
    first((input) => ({ ...input, shape: [...input.shape, 1, 1, 1] })),
  ],
  'too-few-elements': [
    'fewer elements than the shape holds',
    first((input) => ({ ...input, data: (input.data ?? []).slice(1) })),
  ],
  'too-many-elements': [
    'more elements than the shape holds',
    first((input) => ({ ...input, data: [...(input.data ?? []), ...(input.data ?? [])] })),
  ],
  'data-object': ['data that is an object', first((input) => ({ ...input, data: { a: 1 } }))],
  'data-null': [
    'an element that is null',
    first((input) => ({ ...input, data: (input.data ?? []).map(() => null) })),
  ],
  'data-of-another-kind': [
    'elements of another kind',
    first((input) => ({
      ...input,
      data: (input.data ?? []).map(() => (input.datatype === 'BYTES' ? 7 : 'seven')),
    })),
  ],
  'unknown-output': [
    'an output that the model does not have',
    (inputs) => ({ inputs, outputs: [{ name: 'no-such-output' }] }),
  ],
  'outputs-object': ['outputs that are not a list', (inputs) => ({ inputs, outputs: {} })],
  'output-without-name': ['an output without a name', (inputs) => ({ inputs, outputs: [{}] })],
  'parameters-list': ['parameters that are a list', (inputs) => ({ inputs, parameters: [] })],
  'id-number': ['an id that is not a string', (inputs) => ({ id: {}, inputs })],
  'deep-nesting': ['100,000 nested lists', () => `{"inputs":${'['.repeat(100_000)}`],
  'invalid-utf8': [
    'a body that is not UTF-8',
    () => Uint8Array.of(0x7b, 0x22, 0xff, 0xfe, 0x22, 0x3a, 0x31, 0x7d),
  ],
};

export const mistakeCases: readonly Case[] = [
  c(
    'error-malformed',
    'a body that is not JSON gets an error {"error": "<message>"}',
    async (server) => {
      expectReason(await server.infer('{"inputs": ['));
    },
  ),
  c(
    'error-mismatch',
    'fewer elements than the shape holds get an error {"error": …}',
    async (server) => {
      const inputs = server.inputs().map(({ data = [], ...input }) => ({
        ...input,
        data: data.slice(1),
      }));
      expectReason(await server.infer({ inputs }));
    },
  ),
  c(
    'wrong',
    'every mistake of the client gets a 4xx, because a 5xx means a fault of the server',
    async (server) => {
      const faults: string[] = [];
      for (const [id, [, body]] of Object.entries(MISTAKES)) {
        const { status } = await server.infer(body(server.inputs(), server));
        if (status >= 500) faults.push(`${id} (${status})`);
      }
      expect(faults.length === 0, `a 4xx, got a 5xx for ${faults.join(', ')}`);
    },
    'strict',
  ),
  ...Object.entries(MISTAKES).map(([id, [title, body]]) =>
    c(
      `wrong/${id}`,
      `the error for ${title} leaves the server working`,
      async (server) => {
        const refused = await server.infer(body(server.inputs(), server));
        expect(refused.status >= 400, 'an error', refused);
        const response = await server.infer({ inputs: server.inputs() });
        expect(response.status === 200, '200 afterwards', response);
      },
      TOLERABLE.includes(id) ? 'strict' : 'core',
    ),
  ),
];
