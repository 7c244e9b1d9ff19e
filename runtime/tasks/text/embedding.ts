/** @module Vectors of texts, whatever is done with them; as SentenceTransformer.encode of sentence-transformers. */

import type { CancelSignal, PoolMode, PoolOptions } from '../../../native/index.ts';
import { invalidArgument, ServeError } from '../../errors.ts';
import { ShortTurns } from '../../short-turns.ts';
import type { EmbeddingHead, TextModel } from '../../text/text-model.ts';
import type { EncodedText, TokenWindow } from '../../text/tokenizer/index.ts';
import type { TaskResult } from '../task.ts';
import { applyDense } from './dense.ts';
import { type EncodedRows, encodeTexts, rowsOf, windowsOf } from './encode-texts.ts';
import type { PreparedText, WindowOptions } from './operation.ts';
import { RowOutputs, type Rows } from './rows.ts';
import { checkTokens, TURN_MS } from './texts.ts';

/** A vector that is shorter than this is not divided by its length. */
const LEAST_LENGTH = 1e-12;

export interface EmbeddingOptions extends WindowOptions {
  /** Whether vectors have the length 1. Default: as the model says. */
  readonly normalize?: boolean | undefined;
  /** How the vectors of tokens become one. Default: as the model says. */
  readonly pooling?: PoolMode | undefined;
  /** Only so many numbers of each vector, the first ones, before it is normalised. Default: all. */
  readonly dimensions?: number | undefined;
}

/** Texts with what is written before each of them. */
export interface PromptedTexts {
  readonly texts: readonly string[];
  readonly prompt: string;
}

export interface EmbeddingContext extends EncodedRows {
  readonly options: EmbeddingOptions;
}

/** Vectors of texts, one after the other. */
export interface Vectors {
  readonly data: Float32Array<ArrayBuffer>;
  readonly rows: number;
  /** Numbers of each vector. */
  readonly dimensions: number;
}

/** @throws {ServeError} `WRONG_TASK` for a model that has no embeddings. */
export function headOf({ embedding }: TextModel): EmbeddingHead {
  if (embedding !== undefined) return embedding;
  throw new ServeError('WRONG_TASK', 'The model does not embed texts.');
}

/** @throws {ServeError} `INVALID_ARGUMENT` for options that the model cannot satisfy; else as `encodeTexts`. */
export async function prepareEmbeddings(
  model: TextModel,
  groups: readonly PromptedTexts[],
  options: EmbeddingOptions,
  signal: CancelSignal | undefined,
): Promise<PreparedText<EmbeddingContext>> {
  const head = headOf(model);
  checkOptions(head, options);
  const each = groups.map(({ texts, prompt }) =>
    encodeTexts(model, texts, options, { prefix: prompt }, signal),
  );
  const encoded = (await Promise.all(each)).flat();
  checkTokens(encoded);
  const { rows } = await rowsOf(model, encoded);
  const pooling = poolingOf(model, head, options, encoded, rows);
  const { runs } = rows;
  return { runs, outputs: [model.output], pooling, context: { encoded, rows, options } };
}

function checkOptions(
  { pooling, dense, dimensions }: EmbeddingHead,
  options: EmbeddingOptions,
): void {
  if (options.dimensions !== undefined && dimensions !== undefined) {
    checkDimensions(options.dimensions, dimensions);
  }
  if (options.pooling === undefined) return;
  if (pooling === undefined) {
    throw invalidArgument(
      'pooling cannot be chosen, because the model itself makes one vector of a text; leave it out.',
    );
  }
  if (dense.length > 0 && pooling.length !== 1) {
    throw invalidArgument(
      `pooling cannot be chosen, because the layers after it need the vectors of ${pooling.join(' and ')} together; leave it out.`,
    );
  }
}

/** @throws {ServeError} `INVALID_ARGUMENT` */
function checkDimensions(wanted: number, most: number): void {
  if (wanted <= most) return;
  throw invalidArgument(
    `dimensions is ${wanted}, but the vectors of the model have ${most}; write at most that many.`,
    'dimensions',
  );
}

/** The pooling of each run; undefined if the model itself makes one vector of a text. */
function poolingOf(
  { output }: TextModel,
  head: EmbeddingHead,
  options: EmbeddingOptions,
  encoded: readonly EncodedText[],
  { groups }: Rows,
): readonly PoolOptions[] | undefined {
  const modes = options.pooling === undefined ? head.pooling : [options.pooling];
  if (modes === undefined) return undefined;
  const tokens = encoded.flatMap((text) =>
    text.windows.map((window) => {
      const to = Math.max(window.ids.length, 1);
      // The special tokens before a prompt do not count either.
      const from =
        head.poolsPrompt || text.prefixLength === 0 ? 0 : leading(window) + text.prefixLength;
      return [Math.min(from, to - 1), to];
    }),
  );
  return groups.map((group) => ({
    ...{ output, modes },
    tokens: Int32Array.from(group.flatMap((window) => tokens[window]!)),
  }));
}

/** How many special tokens a window begins with. */
function leading({ special }: TokenWindow): number {
  const first = special.indexOf(0);
  return first === -1 ? special.length : first;
}

/** The vectors of all texts, in their order. @throws {ServeError} `INVALID_ARGUMENT` for more dimensions than there are. */
export async function vectorsOf(
  model: TextModel,
  results: readonly TaskResult[],
  { encoded, rows, options }: EmbeddingContext,
): Promise<Vectors> {
  const head = headOf(model);
  const outputs = new RowOutputs(model, rows, results);
  const turns = new ShortTurns(TURN_MS);
  let vectors: Vectors = { data: new Float32Array(), rows: 0, dimensions: 0 };
  let row = 0;
  for (const windows of windowsOf(encoded)) {
    const mean = new WindowMean();
    // A text without tokens is one window.
    for (const { window, index } of windows) {
      mean.add(outputs.of(index).data, Math.max(window.own, 1));
    }
    const vector = finish(head, mean.vector(), options);
    if (row === 0) vectors = emptyVectors(encoded.length, vector.length);
    vectors.data.set(vector, row * vector.length);
    row += 1;
    await turns.pause();
  }
  return vectors;
}

const emptyVectors = (rows: number, dimensions: number): Vectors => ({
  data: new Float32Array(rows * dimensions),
  ...{ rows, dimensions },
});

/** A mean of vectors with weights. */
class WindowMean {
  #sum: Float64Array | undefined;
  #weight = 0;

  add(vector: Float32Array, weight: number): void {
    this.#weight += weight;
    this.#sum ??= new Float64Array(vector.length);
    for (let i = 0; i < vector.length; i += 1) this.#sum[i]! += vector[i]! * weight;
  }

  vector(): Float64Array {
    return this.#sum!.map((value) => value / this.#weight);
  }
}

/** What follows the pooling. */
function finish(
  { dense, normalize }: EmbeddingHead,
  pooled: Float64Array,
  options: EmbeddingOptions,
): Float64Array {
  let vector = pooled;
  for (const layer of dense) vector = applyDense(layer, vector);
  const { dimensions = vector.length } = options;
  checkDimensions(dimensions, vector.length);
  vector = vector.subarray(0, dimensions);
  if (!(options.normalize ?? normalize)) return vector;
  const squares = vector.reduce((sum, value) => sum + value * value, 0);
  const length = Math.max(Math.sqrt(squares), LEAST_LENGTH);
  return vector.map((value) => value / length);
}
