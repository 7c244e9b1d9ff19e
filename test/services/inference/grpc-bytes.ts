/** @module Makes messages byte by byte, as no client of the protocol does. */

export const MIB = 2 ** 20;

export function varint(value: number): Buffer {
  const bytes: number[] = [];
  let rest = value;
  for (; rest > 127; rest = Math.floor(rest / 128)) bytes.push((rest % 128) + 128);
  return Buffer.of(...bytes, rest);
}

/** A field of wire type 2. */
export const field = (number: number, ...payload: readonly Uint8Array[]): Buffer => {
  const bytes = Buffer.concat(payload);
  return Buffer.concat([Buffer.of((number << 3) | 2), varint(bytes.length), bytes]);
};

export const repeated = (count: number, ...bytes: number[]): Buffer =>
  Buffer.alloc(count * bytes.length, Buffer.of(...bytes));

/** A request for the model `f` with one input of this type and shape, whose `InferTensorContents` are these. */
export const request = (
  datatype: string,
  shape: readonly number[],
  ...contents: readonly Uint8Array[]
): Buffer =>
  Buffer.concat([
    field(1, Buffer.from('f')),
    field(
      5,
      field(1, Buffer.from('x')),
      field(2, Buffer.from(datatype)),
      field(3, ...shape.map(varint)),
      field(5, ...contents),
    ),
  ]);
