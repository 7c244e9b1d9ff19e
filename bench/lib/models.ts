/**
 * The models that are measured, and a row of input with its expected output for each.
 *
 * @module
 */
import { mkdir, readdir, rm, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { seeded } from './random.ts';

export interface BenchModel {
  readonly name: string;
  readonly file: string;
  readonly input: string;
  readonly output: string;
  /** Columns of a row of input. */
  readonly features: number;
  /** Columns of a row of output. */
  readonly scores: number;
  /** How ours and the native contenders run it. */
  readonly maxRows: number;
  readonly instances: number;
  readonly intraOpThreads: number;
  /** How many times longer than others it is measured: few of its runs fit into a second. */
  readonly patience: number;
}

/** One row of input and the model's output for it. */
export interface Reference {
  readonly features: readonly number[];
  readonly scores: Float32Array;
}

/** Largest difference between two correct outputs: kernels sum in another order at another batch size. */
export const SCORE_TOLERANCE = 1e-3;

type Running = Pick<BenchModel, 'maxRows' | 'instances' | 'intraOpThreads' | 'patience'>;

const FOLDER = fileURLToPath(new URL('../models', import.meta.url));

/** How to run each model. */
const RUNNING: Readonly<Record<string, Running>> = {
  tiny: { maxRows: 64, instances: 1, intraOpThreads: 1, patience: 1 },
  small: { maxRows: 64, instances: 1, intraOpThreads: 1, patience: 1 },
  medium: { maxRows: 32, instances: 1, intraOpThreads: 1, patience: 1 },
  large: { maxRows: 32, instances: 1, intraOpThreads: 1, patience: 4 },
  'fixed-cost': { maxRows: 64, instances: 1, intraOpThreads: 1, patience: 1 },
};

/** Those that stand for real ones, in the order of their cost: about 1 µs, 25 µs and 5 ms an item. */
const USUAL = ['tiny', 'small', 'large'] as const;

/**
 * Finds the models by their names and reads each one's signature.
 *
 * @throws when one is missing.
 */
export async function findModels(names: readonly string[]): Promise<BenchModel[]> {
  const { InferenceSession } = await import('onnxruntime-node');
  const present = new Set(await readdir(FOLDER));
  const models: BenchModel[] = [];
  for (const name of names) {
    if (!present.has(`${name}.onnx`)) {
      throw new Error(`Model ${name}.onnx is missing: make it with bench/models/make.py`);
    }
    const file = join(FOLDER, `${name}.onnx`);
    const session = await InferenceSession.create(file, { intraOpNumThreads: 1 });
    const [input] = session.inputMetadata;
    const [output] = session.outputMetadata;
    await session.release();
    if (!input?.isTensor || !output?.isTensor) throw new Error(`${name}.onnx has no tensor input`);
    const columns = [input.shape[1], output.shape[1]].map(Number);
    models.push({
      name,
      file,
      input: input.name,
      output: output.name,
      features: columns[0]!,
      scores: columns[1]!,
      ...RUNNING[name]!,
    });
  }
  return models;
}

/** The models that are measured unless others are selected. */
export function modelNames(): string[] {
  return [...USUAL];
}

/** One model by its name. @throws when it is missing. */
export async function findModel(name: string): Promise<BenchModel> {
  const [model] = await findModels([name]);
  return model!;
}

/** Runs one pseudo-random row, the same in every run of the benchmark, alone through ONNX Runtime. */
export async function referenceFor(model: BenchModel): Promise<Reference> {
  const { InferenceSession, Tensor } = await import('onnxruntime-node');
  const features = pseudoRandomRow(model.features);
  const session = await InferenceSession.create(model.file, { intraOpNumThreads: 1 });
  const input = new Tensor('float32', Float32Array.from(features), [1, features.length]);
  const outputs = await session.run({ [model.input]: input });
  const scores = Float32Array.from(outputs[model.output]!.data as Float32Array);
  await session.release();
  return { features, scores };
}

/** Numbers of four decimals in [-1, 1) from a fixed linear congruential sequence. */
function pseudoRandomRow(length: number): number[] {
  const uniform = seeded(12345);
  return Array.from({ length }, () => Math.round((uniform() * 2 - 1) * 1e4) / 1e4);
}

/** Writes a model repository that holds this model alone, as the prediction service reads one. */
export async function writeRepository(folder: string, model: BenchModel): Promise<void> {
  await rm(folder, { recursive: true, force: true });
  const version = join(folder, model.name, '1');
  await mkdir(version, { recursive: true });
  await symlink(model.file, join(version, 'model.onnx'));
  const config = {
    task: 'classification',
    input: model.input,
    output: model.output,
    batching: { maxRows: model.maxRows },
    instances: model.instances,
    intra_op_threads: model.intraOpThreads,
  };
  await writeFile(join(folder, model.name, 'model.json'), JSON.stringify(config));
}

/** The reference as the native programs read it: float32, the row of input, then the scores. */
export function referenceBytes({ features, scores }: Reference): Uint8Array {
  return new Uint8Array(Float32Array.of(...features, ...scores).buffer);
}
