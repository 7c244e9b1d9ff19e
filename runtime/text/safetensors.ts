/**
 * Reads tensors from a file in the format of safetensors: the length of a header in 8 bytes, the header as JSON, which has
 * the type, the shape and the place of each tensor, and then their bytes (https://github.com/huggingface/safetensors).
 *
 * @module
 */

import { z } from 'zod';
import { checkSchema } from '../check-schema.ts';
import { BFLOAT16, floatsOfHalves, fromHalfBits } from '../half-floats.ts';

/** The most bytes of a file. The layers that are read from such files have a few million weights. */
export const MAX_WEIGHTS_BYTES = 256 * 1024 * 1024;

const size = z.int().min(0);
const headerSchema = z.record(
  z.string(),
  z.object({
    dtype: z.string(),
    shape: z.array(size),
    data_offsets: z.tuple([size, size]),
  }),
);

/** A tensor in float32. */
export interface WeightTensor {
  readonly shape: readonly number[];
  readonly data: Float32Array;
}

/**
 * The tensors of a file by name.
 *
 * @returns Them, or a clause that says what is wrong with the file.
 */
export function parseSafetensors(bytes: Uint8Array): ReadonlyMap<string, WeightTensor> | string {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (bytes.length < 8) return 'it is too short for a file of safetensors';
  const length = Number(view.getBigUint64(0, true));
  if (length > bytes.length - 8) return 'its header is longer than the file';
  const header = parseHeader(bytes.subarray(8, 8 + length));
  if (typeof header === 'string') return header;
  const content = bytes.subarray(8 + length);
  const tensors = new Map<string, WeightTensor>();
  for (const [name, { dtype, shape, data_offsets }] of Object.entries(header)) {
    const [start, end] = data_offsets;
    const elements = shape.reduce((product, dimension) => product * dimension, 1);
    const read = Object.hasOwn(READERS, dtype) ? READERS[dtype] : undefined;
    if (read === undefined) {
      return `the tensor '${name}' has the type ${dtype}; expected F32, F16 or BF16`;
    }
    if (end > content.length || end - start !== elements * read.bytes) {
      return `the tensor '${name}' does not fit into the file`;
    }
    tensors.set(name, {
      shape,
      data: read.all(Uint8Array.from(content.subarray(start, end)), elements),
    });
  }
  return tensors;
}

function parseHeader(bytes: Uint8Array): z.infer<typeof headerSchema> | string {
  let json: unknown;
  try {
    json = JSON.parse(new TextDecoder().decode(bytes));
  } catch {
    return 'its header is not valid JSON';
  }
  // Facts about the file, which are no tensor.
  if (typeof json === 'object' && json !== null) Reflect.deleteProperty(json, '__metadata__');
  const checked = checkSchema(headerSchema, json);
  return 'data' in checked ? checked.data : `in its header ${checked.fault}`;
}

interface Reader {
  /** Bytes of an element. */
  readonly bytes: number;
  /** @param copy Begins at the first byte of its buffer. */
  all(copy: Uint8Array<ArrayBuffer>, elements: number): Float32Array;
}

const halves = (all: (bits: Uint16Array) => Float32Array): Reader => ({
  bytes: 2,
  all: ({ buffer }, elements) => all(new Uint16Array(buffer, 0, elements)),
});

const READERS: Readonly<Record<string, Reader>> = {
  F32: { bytes: 4, all: ({ buffer }, elements) => new Float32Array(buffer, 0, elements) },
  F16: halves(floatsOfHalves),
  BF16: halves((all) => Float32Array.from(all, (bits) => fromHalfBits(BFLOAT16, bits))),
};
