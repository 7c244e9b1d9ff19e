/**
 * Chooses the `.onnx` file of a folder that is the model: `model.onnx` or, without it, the only file. If there are
 * several precisions of one model, it is the most exact one.
 *
 * @module
 */

/** The file to serve, with a sentence if it is not `model.onnx`. */
export interface ModelFile {
  readonly name: string;
  readonly notes: readonly string[];
}

/** The default name of a model file. */
export const MODEL_FILE = 'model.onnx';
/** The start of every reason for a folder without a model file. */
export const NO_MODEL = 'It holds no model file';

/** The suffixes that transformers.js and Optimum append to the name of a model for its precision; most exact first. */
const PRECISIONS: readonly RegExp[] = [
  /_fp32$/,
  /_O[123]$/,
  /_optimized$/,
  /_bf16$/,
  /_(?:fp16|O4)$/,
  /_quantized$/,
  /_(?:q8|q?u?int8(?:_\w+)?)$/,
  /_q4$/,
  /_q4f16$/,
  /_bnb4$/,
];

export const isModelFile = (name: string): boolean => /\.onnx$/i.test(name);

/** Splits a file's name into the name of its model and the rank of its precision: 0 is the most exact. */
function split(file: string): { readonly model: string; readonly rank: number } {
  const name = file.replace(/\.onnx$/i, '');
  const index = PRECISIONS.findIndex((precision) => precision.test(name));
  if (index === -1) return { model: name, rank: 0 };
  return { model: name.replace(PRECISIONS[index]!, ''), rank: index + 1 };
}

/** The files of each model, the most exact first; models and files of equal precision in the order of names. */
export function byModel(files: readonly string[]): ReadonlyMap<string, readonly string[]> {
  const sorted = files.toSorted((a, b) => split(a).rank - split(b).rank || (a < b ? -1 : 1));
  const models = new Map<string, string[]>();
  for (const file of sorted) {
    const { model } = split(file);
    models.set(model, [...(models.get(model) ?? []), file]);
  }
  return new Map([...models].toSorted(([a], [b]) => (a < b ? -1 : 1)));
}

/** The most exact of the files of one model, of which there is at least one. */
export function mostExact(files: readonly string[], filename = MODEL_FILE): ModelFile {
  const [name, ...others] = files;
  if (name === filename) return { name, notes: [] };
  const why = others.length === 0 ? '' : `; it is more exact than ${others.join(', ')}`;
  return {
    name: name!,
    notes: [`The model file is ${name}, because there is no ${filename}${why}`],
  };
}

/**
 * Chooses the model file of a folder.
 *
 * @param files The names of its files.
 * @returns The file, or a sentence that says why there is none.
 */
export function chooseModelFile(files: readonly string[]): ModelFile | string {
  if (files.includes(MODEL_FILE)) return { name: MODEL_FILE, notes: [] };
  const models = [...byModel(files.filter(isModelFile)).values()];
  if (models.length === 1) return mostExact(models[0]!);
  if (models.length === 0) return `${NO_MODEL}: expected ${MODEL_FILE}`;
  const names = models.flat().slice(0, 4).join(', ');
  return `It holds several models (${names}) and no ${MODEL_FILE}: rename the one to serve`;
}
