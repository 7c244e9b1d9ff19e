/** @module Requests whose body is one raw tensor without JSON: `Inference-Header-Content-Length: 0`. */

import {
  elementArrays,
  elementCount,
  elementsIn,
  invalidArgument,
  type ModelVersion,
  type Prepared,
  packStrings,
  quote,
  type TensorSpec,
  type Tensors,
} from '../../runtime/index.ts';
import { shownSignature } from './images.ts';
import type { ResponseForm } from './infer.ts';

/**
 * Prepares a raw tensor. Its shape follows from the model's signature and the body's size: a batched model gets one
 * row, and at most one other dimension may be dynamic. Every output is sent in binary.
 *
 * @throws {ServeError} `INVALID_ARGUMENT` if no shape fits, or more than one.
 */
export function prepareRaw(
  version: ModelVersion,
  body: Uint8Array<ArrayBuffer>,
): Prepared<ResponseForm> {
  const { inputs, batched } = shownSignature(version);
  const [input, ...others] = inputs;
  if (input === undefined || others.length > 0) {
    throw invalidArgument(
      `The model has ${inputs.length} inputs: a raw body needs a model with one.`,
    );
  }
  return {
    runs: [{ [input.name]: rawTensor(input, batched, body) }],
    outputs: undefined,
    packStrings: true,
    context: { id: '', outputs: undefined, binaryByDefault: true, nonFinite: 'literal' },
  };
}

function rawTensor(
  input: TensorSpec,
  batched: boolean,
  body: Uint8Array<ArrayBuffer>,
): Tensors[string] {
  const { name, type, dims } = input;
  const known = dims.map((size, axis) => (batched && axis === 0 ? 1 : size));
  if (type === 'string') {
    if (known.some((size) => size !== 1 && size !== -1)) {
      throw invalidArgument(
        `Input ${quote(name)} is BYTES: a raw body is one element, but it has more.`,
      );
    }
    return { type, dims: known.map(() => 1), data: packStrings([body]) };
  }
  const array = elementArrays[type];
  const dynamic = known.filter((size) => size === -1).length;
  if (dynamic > 1) {
    throw invalidArgument(
      `Input ${quote(name)} has ${dynamic} dynamic dimensions: the size of a raw body determines only one.`,
    );
  }
  const fixed = elementCount(known.filter((size) => size !== -1));
  const elements = body.length / array.BYTES_PER_ELEMENT;
  const missing = dynamic === 0 ? 1 : elements / fixed;
  if (!Number.isInteger(elements) || !Number.isInteger(missing) || fixed * missing !== elements) {
    const row = fixed * array.BYTES_PER_ELEMENT;
    const expected = dynamic === 0 ? `${row}` : `a multiple of ${row}`;
    throw invalidArgument(
      `The body has ${body.length} bytes: input ${quote(name)} takes ${expected}.`,
    );
  }
  const shape = known.map((size) => (size === -1 ? missing : size));
  return { type, dims: shape, data: elementsIn(type, body) } as Tensors[string];
}
