/** @module The requests of the suite: one large tensor in binary, many numbers as JSON, and one short row as JSON. */
import { fileURLToPath } from 'node:url';
import { JSON_HEADERS, type Load } from '../../drivers/types.ts';
import { seeded } from '../../lib/random.ts';
import { MANY, type Ratio } from '../../lib/ratio.ts';
import { HEADER_LENGTH } from './protocol.ts';

export type V2Request = Pick<Load, 'body' | 'headers'>;

export interface V2Case {
  readonly name: string;
  readonly title: string;
  /** A model with one input and one output. */
  readonly file: string;
  readonly request: V2Request;
  /** The elements of the output. */
  readonly expected: Float32Array;
  /** The contenders in the order of their start; ours is the first. */
  readonly contenders: readonly V2ContenderName[];
  /** The same row for `/predict` of a classifier, which our process then serves too. */
  readonly predict?: V2Request;
  readonly judged: readonly JudgedRatio[];
}

/** A ratio with its target and the name of the aim. */
interface JudgedRatio {
  readonly target: string;
  readonly aim: string;
  readonly ratio: Ratio;
}

export type V2ContenderName = 'ours' | 'floor' | 'route' | 'script' | 'onnxruntime-node';

const IMAGE = [1, 3, 224, 224] as const;
const NUMBERS = [1, 768] as const;

const FIXTURES = '../../../test/fixtures/models';
const path = (file: string) => fileURLToPath(new URL(file, import.meta.url));

/** Numbers in [-1, 1), the same in every run. */
function row(dims: readonly number[]): Float32Array {
  const uniform = seeded(12345);
  const length = dims.reduce((product, size) => product * size, 1);
  return Float32Array.from({ length }, () => uniform() * 2 - 1);
}

const header = (name: string, dims: readonly number[]) => ({ name, datatype: 'FP32', shape: dims });

function binaryRequest(dims: readonly number[], data: Float32Array): V2Request {
  const input = { ...header('x', dims), parameters: { binary_data_size: data.byteLength } };
  const json = JSON.stringify({ inputs: [input], parameters: { binary_data_output: true } });
  const headers = {
    'Content-Type': 'application/octet-stream',
    [HEADER_LENGTH]: String(json.length),
  };
  const body = Buffer.concat([Buffer.from(json), new Uint8Array(data.buffer as ArrayBuffer)]);
  return { body, headers };
}

const jsonBody = (value: object): V2Request => ({
  body: JSON.stringify(value),
  headers: JSON_HEADERS,
});

const jsonRequest = (name: string, dims: readonly number[], data: readonly number[]) =>
  jsonBody({ inputs: [{ ...header(name, dims), data }] });

/** Numbers with the digits of a float32, as a client with float32 numbers writes them. */
const digits = (data: Float32Array) => Array.from(data, (value) => Number(value.toPrecision(9)));

function rateRatio(name: 'floor' | 'route' | 'onnxruntime-node', at: number): Ratio {
  return {
    name: `ours ÷ ${name}`,
    at,
    needs: ['ours', name],
    value: (rate) => rate('ours') / rate(name),
  };
}

function cpuOfPredict(at: number): Ratio {
  return {
    name: 'ours ÷ predict',
    at,
    needs: ['ours', 'predict'],
    of: 'serverCpuUs',
    value: (cpu) => cpu('ours') / cpu('predict'),
  };
}

const image = row(IMAGE);
const numbers = row(NUMBERS);
const features = [5.1, 3.5, 1.4, 0.2];

export const cases: readonly V2Case[] = [
  {
    name: 'image',
    title: 'an image of 588 KiB in binary, the mean of it back',
    file: path(`${FIXTURES}/reduce-mean-image.onnx`),
    request: binaryRequest(IMAGE, image),
    expected: Float32Array.of(image.reduce((sum, value) => sum + value, 0) / image.length),
    contenders: ['ours', 'floor', 'onnxruntime-node'],
    judged: [{ target: 'T22', aim: '', ratio: rateRatio('floor', MANY) }],
  },
  {
    name: 'numbers',
    title: '768 numbers as JSON, as many back',
    file: path(`${FIXTURES}/dynamic-axes.onnx`),
    request: jsonRequest('x', NUMBERS, digits(numbers)),
    expected: numbers.map((value) => -value),
    contenders: ['ours', 'floor', 'route', 'script', 'onnxruntime-node'],
    judged: [{ target: 'T23', aim: '', ratio: rateRatio('route', MANY) }],
  },
  {
    name: 'row',
    title: 'one row of 4 numbers as JSON, 3 scores back',
    file: path('../../models/tiny.onnx'),
    request: jsonRequest('features', [1, features.length], features),
    // The outputs of ONNX Runtime.
    expected: Float32Array.of(0.20733327, -0.30506304, 0.26685762),
    contenders: ['ours', 'onnxruntime-node'],
    predict: jsonBody({ features }),
    judged: [
      ...[1, MANY].map((at) => ({ target: 'T24', aim: `C=${at}`, ratio: cpuOfPredict(at) })),
      ...[1, 8, MANY].map((at) => {
        return { target: 'T25', aim: `C=${at}`, ratio: rateRatio('onnxruntime-node', at) };
      }),
    ],
  },
];
