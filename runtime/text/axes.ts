/** @module The lengths to which texts are padded, so that requests of similar lengths share runs. */

import type { AxisOptions, BatchingOptions, FileTensor, ModelFile } from '../../native/index.ts';
import { encoderInputs } from './encoder.ts';
import type { TextInputs } from './text-model.ts';

const SHORTEST = 16;

/**
 * Most tokens of a batch, padding included. On a CPU, a token of MiniLM costs least in batches of 256 to 512 tokens, and up to
 * twice as much in those of 8192, whose activations leave the caches (.github/decisions/0043). A GPU is only busy with more.
 */
const MAX_TOKENS = { cpu: 2048, gpu: 16_384 } as const;

/** The dimensions of an output that count tokens, by its rank: scores or vectors of tokens, and attentions of heads. */
const OUTPUT_PLACES: Readonly<Record<number, readonly number[]>> = { 3: [1], 4: [2, 3] };

/** The shortest length and its doubles below the window, and the window. */
export function lengthBuckets(window: number): readonly number[] {
  const buckets: number[] = [];
  for (let length = SHORTEST; length < window; length *= 2) buckets.push(length);
  return [...buckets, window];
}

/**
 * How requests of a graph share runs; undefined if it takes one length only, or its file does not tell which of its dimensions
 * count tokens.
 */
export function textBatching(
  file: ModelFile,
  padId: number,
  window: number,
  device: string,
): Pick<BatchingOptions, 'axes' | 'maxElements'> | undefined {
  const inputs = encoderInputs(file.inputs, padId);
  const axes = typeof inputs === 'string' ? undefined : tokenAxis(file, inputs, window);
  const most = /^(?:cuda|tensorrt)/.test(device) ? MAX_TOKENS.gpu : MAX_TOKENS.cpu;
  return axes && { axes, maxElements: Math.max(most, window) };
}

function tokenAxis(file: ModelFile, inputs: TextInputs, window: number): BatchingOptions['axes'] {
  if (inputs.length !== undefined) return undefined;
  const ids = file.inputs.find(({ name }) => name === inputs.ids)!;
  const [rows, tokens] = ids.symbols;
  if (tokens === undefined || (tokens !== '' && tokens === rows)) return undefined;
  const name = tokens === '' ? placeOf(ids, 1) : tokens;
  const others = [
    ...file.inputs.flatMap((spec) => withOtherName(spec, [1], name)),
    ...file.outputs.flatMap((spec) =>
      withOtherName(spec, OUTPUT_PLACES[spec.dims.length] ?? [], name),
    ),
  ].filter((place) => place !== name);
  const axis: AxisOptions = {
    buckets: lengthBuckets(window),
    pad: { [inputs.ids]: inputs.padId },
    ...(inputs.mask === undefined ? {} : { mask: inputs.mask }),
    ...(others.length === 0 ? {} : { dimensions: others }),
  };
  return { [name]: axis };
}

const placeOf = ({ name }: FileTensor, dimension: number) => `${name}:${dimension}`;

/** The places of the given dimensions that any length fits, and to which the file does not give the name of the axis. */
const withOtherName = (spec: FileTensor, dimensions: readonly number[], axis: string) =>
  dimensions
    .filter((place) => spec.dims[place] === -1 && spec.symbols[place] !== axis)
    .map((place) => placeOf(spec, place));
