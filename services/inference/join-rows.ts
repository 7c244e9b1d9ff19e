/** @module Joins the outputs of runs of one row each, as if the rows had been in one request. */

import {
  invalidArgument,
  type PackedTensor,
  quote,
  type RunResult,
  ServeError,
  type Tensor,
} from '../../runtime/index.ts';

type Joined = Pick<RunResult, 'outputs' | 'packedStrings'>;

/** Bytes of joined outputs, which the HTTP thread copies in about 20 ms. */
const MAX_BYTES = 64 * 1024 * 1024;

/**
 * @returns the outputs of the runs, with a row for each run in order
 * @throws {ServeError} `INVALID_ARGUMENT` if an output has other sizes in another run, `PAYLOAD_TOO_LARGE`
 */
export function joinRows(results: readonly RunResult[]): Joined {
  const [first] = results;
  if (results.length === 1) return first!;
  const bytes = results.reduce((sum, result) => sum + bytesOf(result), 0);
  if (bytes > MAX_BYTES) {
    throw new ServeError(
      'PAYLOAD_TOO_LARGE',
      `The outputs of the ${results.length} images have ${bytes} bytes, and those of a request may have ${MAX_BYTES}; send fewer images at once.`,
    );
  }
  const join = <T extends Tensor | PackedTensor>(
    tensors: Readonly<Record<string, T>>,
    of: (result: RunResult) => Readonly<Record<string, T>> | undefined,
  ) =>
    Object.fromEntries(
      Object.keys(tensors).map((name) => [
        name,
        joinTensors(
          name,
          results.map((result) => of(result)![name]!),
        ),
      ]),
    );
  const { outputs, packedStrings } = first!;
  return {
    outputs: join(outputs, (result) => result.outputs),
    ...(packedStrings && { packedStrings: join(packedStrings, (result) => result.packedStrings) }),
  };
}

const bytesOf = ({ outputs, packedStrings = {} }: RunResult): number =>
  [...Object.values(outputs), ...Object.values(packedStrings)].reduce(
    (sum, { data }) => sum + (ArrayBuffer.isView(data) ? data.byteLength : 0),
    0,
  );

function joinTensors<T extends Tensor | PackedTensor>(name: string, tensors: readonly T[]): T {
  const [first, ...others] = tensors;
  const [rows, ...sizes] = first!.dims;
  const differs = others.find(({ dims }) => String(dims) !== String(first!.dims));
  if (differs !== undefined || rows !== 1) {
    throw invalidArgument(
      `Output ${quote(name)} has the shape [${first!.dims}] for one image and [${(differs ?? first!).dims}] for another, so they cannot be joined; send one image at a time.`,
    );
  }
  return { ...first!, dims: [tensors.length, ...sizes], data: joinData(tensors) };
}

type Numbers = Float32Array<ArrayBuffer>;

/** Arrays of the same type one after another. */
function joinData(tensors: readonly (Tensor | PackedTensor)[]): Numbers {
  const parts = tensors.map(({ data }) => data as Numbers);
  const length = parts.reduce((sum, part) => sum + part.length, 0);
  const joined = new (parts[0]!.constructor as new (length: number) => Numbers)(length);
  let at = 0;
  for (const part of parts) {
    joined.set(part, at);
    at += part.length;
  }
  return joined;
}
