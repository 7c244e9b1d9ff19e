/** @module The demonstration models of texts as they are committed: their files, examples, and outputs on the engine. */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync, statSync } from 'node:fs';
import path from 'node:path';
import { type BatchingOptions, type Engine, type Model, openEngine } from '../../native/index.ts';

const top = path.resolve(import.meta.dirname, '../..');

/** The folder `models/`. */
export const modelsFolder = path.join(top, 'models');

/** Kernels for other processors add in another order. */
const RECORDED = 1e-4;

/** On one processor, a text has the same result whatever shares its batch, and however much it is padded. */
const TOGETHER = 1e-5;

/** A text whose tokens and outputs the training script recorded. */
export interface Example {
  readonly text: string;
  readonly input_ids: readonly number[];
}

/** The outputs of a text: `dims` without the row, and the numbers. */
export interface Output {
  readonly dims: readonly number[];
  readonly data: Float32Array;
}

export const readText = (...parts: string[]): string =>
  readFileSync(path.join(modelsFolder, ...parts), 'utf8');

export const readJson = <T>(...parts: string[]): T => JSON.parse(readText(...parts)) as T;

/** The examples that `models/train` recorded for a model. */
export const readExamples = <T extends Example>(model: string): readonly T[] =>
  JSON.parse(readFileSync(path.join(top, 'test/fixtures', `${model}-examples.json`), 'utf8')).rows;

/** The sizes in bytes of all files below a folder of `models/`, by their path there. */
export function fileSizes(folder: string): ReadonlyMap<string, number> {
  const root = path.join(modelsFolder, folder);
  const entries = readdirSync(root, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile());
  return new Map(
    files.map(({ parentPath, name }) => {
      const file = path.join(parentPath, name);
      return [path.relative(root, file), statSync(file).size];
    }),
  );
}

const axes = { sequence_length: { buckets: [16, 32, 64, 128, 256], mask: 'attention_mask' } };

const loadText = (engine: Engine, model: string, batching: BatchingOptions | false) =>
  engine.load({
    path: path.join(modelsFolder, model, 'onnx', 'model_int8.onnx'),
    name: model,
    batching,
  });

/** Runs one text. */
async function runText(model: Model, { input_ids }: Example): Promise<Output> {
  const dims = [1, input_ids.length];
  const ids = BigInt64Array.from(input_ids, BigInt);
  const { outputs } = await model.run({
    input_ids: { type: 'int64', dims, data: ids },
    attention_mask: { type: 'int64', dims, data: ids.map(() => 1n) },
    token_type_ids: { type: 'int64', dims, data: ids.map(() => 0n) },
  });
  const [output] = Object.values(outputs);
  return { dims: output!.dims.slice(1), data: output!.data as Float32Array };
}

/** The largest difference of two lists of equal length; NaN if a number is missing. */
export const difference = (a: ArrayLike<number>, b: ArrayLike<number>): number =>
  a.length === b.length
    ? Array.from(a).reduce((most, x, i) => Math.max(most, Math.abs(x - b[i]!)), 0)
    : Number.NaN;

/**
 * Runs each example by itself and without padding, and then all of them at once, padded to the lengths of the axis. Checks
 * that the model can be batched and that both give the same, and calls `check` with the outputs.
 */
export async function withText(
  name: string,
  examples: readonly Example[],
  check: (outputs: readonly Output[]) => void,
): Promise<void> {
  const engine = openEngine();
  try {
    const single = await loadText(engine, name, false);
    const alone: Output[] = [];
    for (const example of examples) alone.push(await runText(single, example));
    await single.close();
    const model = await loadText(engine, name, { axes });
    assert.equal(model.signature.batching.enabled, true, model.signature.batching.reason);
    const together = await Promise.all(examples.map((example) => runText(model, example)));
    await model.close();
    for (const [i, { dims, data }] of together.entries()) {
      assert.deepEqual(dims, alone[i]!.dims);
      const most = difference(data, alone[i]!.data);
      assert.ok(most <= TOGETHER, `'${examples[i]!.text}' together differs by ${most}`);
    }
    check(alone);
  } finally {
    await engine.close();
  }
}

/** Checks an output against the recorded one. */
export function near(actual: ArrayLike<number>, expected: ArrayLike<number>, text: string): void {
  const most = difference(actual, expected);
  assert.ok(most <= RECORDED, `'${text}' differs by ${most} from the recorded output`);
}

/** The labels of a model in the order of its scores. */
export const labelsOf = (name: string): readonly string[] =>
  Object.values(readJson<{ id2label: Record<string, string> }>(name, 'config.json').id2label);
