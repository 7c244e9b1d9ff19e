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

/**
 * The suffixes that transformers.js and Optimum append to the name of a model for its precision; most exact first. `dtype` is
 * the value of that key in `model.json` that asks for the file; a file with none of the suffixes is `fp32`.
 */
const PRECISIONS: readonly { readonly suffix: RegExp; readonly dtype: readonly string[] }[] = [
  { suffix: /_fp32$/, dtype: ['fp32'] },
  { suffix: /_O[123]$/, dtype: ['fp32'] },
  { suffix: /_optimized$/, dtype: ['fp32'] },
  { suffix: /_bf16$/, dtype: [] },
  { suffix: /_(?:fp16|O4)$/, dtype: ['fp16'] },
  { suffix: /_quantized$/, dtype: ['q8', 'quantized'] },
  { suffix: /_(?:q8|q?int8(?:_\w+)?)$/, dtype: ['int8', 'q8'] },
  { suffix: /_q?uint8(?:_\w+)?$/, dtype: ['uint8', 'q8'] },
  { suffix: /_q4$/, dtype: ['q4'] },
  { suffix: /_q4f16$/, dtype: ['q4f16'] },
  { suffix: /_bnb4$/, dtype: ['bnb4'] },
];

/** The values of `dtype` in `model.json`. */
export const DTYPES = [
  'auto',
  'fp32',
  'fp16',
  'int8',
  'uint8',
  'q8',
  'quantized',
  'q4',
  'q4f16',
  'bnb4',
] as const;

export type Dtype = (typeof DTYPES)[number];

export const isModelFile = (name: string): boolean => /\.onnx$/i.test(name);

/** Splits a file's name into the name of its model and the rank of its precision: 0 is the most exact. */
function split(file: string): { readonly model: string; readonly rank: number } {
  const name = file.replace(/\.onnx$/i, '');
  const index = PRECISIONS.findIndex(({ suffix }) => suffix.test(name));
  if (index === -1) return { model: name, rank: 0 };
  return { model: name.replace(PRECISIONS[index]!.suffix, ''), rank: index + 1 };
}

/** Whether a file has the precision that `model.json` asks for. */
export function hasDtype(file: string, dtype: Dtype): boolean {
  const { rank } = split(file);
  return (rank === 0 ? ['fp32'] : PRECISIONS[rank - 1]!.dtype).includes(dtype);
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
