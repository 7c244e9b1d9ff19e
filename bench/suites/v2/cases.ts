/** @module The requests of the suite: one large tensor in binary, and a row of numbers as JSON. */
import { fileURLToPath } from 'node:url';
import { JSON_HEADERS, type Load } from '../../drivers/types.ts';
import { seeded } from '../../lib/random.ts';
import { MANY, type Ratio } from '../../lib/ratio.ts';
import { HEADER_LENGTH } from './protocol.ts';

export interface V2Case {
  readonly name: string;
  readonly title: string;
  /** A model with one input `x` and one output `y`. */
  readonly file: string;
  readonly request: Pick<Load, 'body' | 'headers'>;
  /** The elements of `y`. */
  readonly expected: Float32Array;
  /** The contenders in the order of their start; ours is the first. */
  readonly contenders: readonly V2ContenderName[];
  readonly judged: Ratio;
  /** The target of the ratio. */
  readonly target: string;
}

export type V2ContenderName = 'ours' | 'floor' | 'route' | 'script' | 'onnxruntime-node';

const IMAGE = [1, 3, 224, 224] as const;
const NUMBERS = [1, 768] as const;

const model = (name: string) =>
  fileURLToPath(new URL(`../../../test/fixtures/models/${name}.onnx`, import.meta.url));

/** Numbers in [-1, 1), the same in every run. */
function row(dims: readonly number[]): Float32Array {
  const uniform = seeded(12345);
  const length = dims.reduce((product, size) => product * size, 1);
  return Float32Array.from({ length }, () => uniform() * 2 - 1);
}

const header = (dims: readonly number[]) => ({ name: 'x', datatype: 'FP32', shape: dims });

function binaryRequest(dims: readonly number[], data: Float32Array): V2Case['request'] {
  const input = { ...header(dims), parameters: { binary_data_size: data.byteLength } };
  const json = JSON.stringify({ inputs: [input], parameters: { binary_data_output: true } });
  const headers = {
    'Content-Type': 'application/octet-stream',
    [HEADER_LENGTH]: String(json.length),
  };
  const body = Buffer.concat([Buffer.from(json), new Uint8Array(data.buffer as ArrayBuffer)]);
  return { body, headers };
}

/** JSON in which each number has the digits of a float32, as a client with float32 numbers writes it. */
function jsonRequest(dims: readonly number[], data: Float32Array): V2Case['request'] {
  const digits = Array.from(data, (value) => Number(value.toPrecision(9)));
  const body = JSON.stringify({ inputs: [{ ...header(dims), data: digits }] });
  return { body, headers: JSON_HEADERS };
}

const image = row(IMAGE);
const numbers = row(NUMBERS);

export const cases: readonly V2Case[] = [
  {
    name: 'image',
    title: 'an image of 588 KiB in binary, the mean of it back',
    file: model('reduce-mean-image'),
    request: binaryRequest(IMAGE, image),
    expected: Float32Array.of(image.reduce((sum, value) => sum + value, 0) / image.length),
    contenders: ['ours', 'floor', 'onnxruntime-node'],
    judged: {
      name: 'ours ÷ floor',
      at: MANY,
      needs: ['ours', 'floor'],
      value: (rate) => rate('ours') / rate('floor'),
    },
    target: 'T22',
  },
  {
    name: 'numbers',
    title: '768 numbers as JSON, as many back',
    file: model('dynamic-axes'),
    request: jsonRequest(NUMBERS, numbers),
    expected: numbers.map((value) => -value),
    contenders: ['ours', 'floor', 'route', 'script', 'onnxruntime-node'],
    judged: {
      name: 'ours ÷ route',
      at: MANY,
      needs: ['ours', 'route'],
      value: (rate) => rate('ours') / rate('route'),
    },
    target: 'T23',
  },
];
