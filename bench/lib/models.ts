/**
 * The measured models, each with a row of input and its expected output.
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
  /** The settings of ours and of the native contenders. */
  readonly maxRows: number;
  readonly instances: number;
  readonly intraOpThreads: number;
  /** Factor of the length of its measurements, for models with few runs per second. */
  readonly patience: number;
}

/** One row of input and the model's output for it. */
export interface Reference {
  readonly features: readonly number[];
  readonly scores: Float32Array;
}

/** Maximum difference of two correct outputs: kernels sum in an order that depends on the batch size. */
export const SCORE_TOLERANCE = 1e-3;

type Running = Pick<BenchModel, 'maxRows' | 'instances' | 'intraOpThreads' | 'patience'>;

const FOLDER = fileURLToPath(new URL('../models', import.meta.url));

/** The settings of each model. */
const RUNNING: Readonly<Record<string, Running>> = {
  tiny: { maxRows: 64, instances: 1, intraOpThreads: 1, patience: 1 },
  small: { maxRows: 64, instances: 1, intraOpThreads: 1, patience: 1 },
  medium: { maxRows: 32, instances: 1, intraOpThreads: 1, patience: 1 },
  large: { maxRows: 32, instances: 1, intraOpThreads: 1, patience: 4 },
  'fixed-cost': { maxRows: 64, instances: 1, intraOpThreads: 1, patience: 1 },
};

/** The models that represent real ones, in the order of their cost: about 1 µs, 25 µs and 5 ms per item. */
const USUAL = ['tiny', 'small', 'large'] as const;

/**
 * Finds the models by their names and reads each one's signature.
 *
 * @throws if one is missing.
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

/** One model by its name. @throws if it is missing. */
export async function findModel(name: string): Promise<BenchModel> {
  const [model] = await findModels([name]);
  return model!;
}

/** Runs one row, pseudo-random but always the same, with ONNX Runtime. */
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

/** Pseudo-random numbers of four decimals in [-1, 1), always the same. */
function pseudoRandomRow(length: number): number[] {
  const uniform = seeded(12345);
  return Array.from({ length }, () => Math.round((uniform() * 2 - 1) * 1e4) / 1e4);
}

/** Writes a model repository that has only this model. */
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

/** Writes the reference for the native programs: the row of input and the scores, as float32. */
export function referenceBytes({ features, scores }: Reference): Uint8Array {
  return new Uint8Array(Float32Array.of(...features, ...scores).buffer);
}
