/** @module Writes small ONNX models, for those that no tool would make. See onnx.proto for the numbers of the fields. */

/** A field of a message: its number, and an integer, a text, bytes, or fields of a message. */
export type Field = readonly [number, number | string | Uint8Array | readonly Field[]];

export const FLOAT = 1;
export const INT64 = 7;
export const BOOL = 9;
const GRAPH_ATTRIBUTE = 5;

/** The bytes of a message. */
export function encode(fields: readonly Field[]): Buffer {
  return Buffer.concat(
    fields.map(([number, value]) => {
      if (typeof value === 'number') return Buffer.from([...varint(number << 3), ...varint(value)]);
      const content =
        typeof value === 'string' || value instanceof Uint8Array
          ? Buffer.from(value)
          : encode(value);
      return Buffer.concat([
        Buffer.from([...varint((number << 3) | 2), ...varint(content.length)]),
        content,
      ]);
    }),
  );
}

function varint(value: number): number[] {
  return value < 128 ? [value] : [(value % 128) | 128, ...varint(Math.floor(value / 128))];
}

/** A node of a graph. `body` is the attribute of that name. */
export const node = (
  type: string,
  inputs: readonly string[],
  outputs: readonly string[],
  body?: readonly Field[],
): Field => [
  1,
  [
    ...inputs.map((name): Field => [1, name]),
    ...outputs.map((name): Field => [2, name]),
    [4, type],
    ...(body === undefined
      ? []
      : [
          [
            5,
            [
              [1, 'body'],
              [6, body],
              [20, GRAPH_ATTRIBUTE],
            ],
          ] satisfies Field,
        ]),
  ],
];

/** A number is a size, and a string the name of one that the file leaves open. */
type Dimension = number | string;

const valueInfo = (name: string, type: number, dims: readonly Dimension[]): readonly Field[] => [
  [1, name],
  [
    2,
    [
      [
        1,
        [
          [1, type],
          [2, dims.map((size): Field => [1, [[typeof size === 'number' ? 1 : 2, size]]])],
        ],
      ],
    ],
  ],
];

export const input = (name: string, type: number, dims: readonly Dimension[]): Field => [
  11,
  valueInfo(name, type, dims),
];

export const output = (name: string, type: number, dims: readonly Dimension[]): Field => [
  12,
  valueInfo(name, type, dims),
];

/** An initializer of 64-bit integers. */
export const constant = (
  name: string,
  values: readonly number[],
  dims = [values.length],
): Field => [
  5,
  [
    ...dims.map((size): Field => [1, size]),
    [2, INT64],
    [8, name],
    [9, new Uint8Array(BigInt64Array.from(values.map(BigInt)).buffer)],
  ],
];

/** An initializer whose numbers are in a file beside the model. */
export const external = (name: string, dims: readonly number[], location: string): Field => [
  5,
  [
    ...dims.map((size): Field => [1, size]),
    [2, FLOAT],
    [8, name],
    [
      13,
      [
        [1, 'location'],
        [2, location],
      ],
    ],
    [14, 1],
  ],
];

/** A model of opset 17 with this graph and these metadata. */
export const model = (
  graph: readonly Field[],
  metadata: Readonly<Record<string, string>> = {},
): Buffer =>
  encode([
    [1, 8],
    [7, [...graph, [2, 'graph']]],
    [8, [[2, 17]]],
    ...Object.entries(metadata).map(
      ([key, value]): Field => [
        14,
        [
          [1, key],
          [2, value],
        ],
      ],
    ),
  ]);
