/**
 * Models as Hugging Face and transformers.js keep them: `config.json`, and the graphs in `onnx/` or
 * beside it. The graph `model.onnx` is the model; the parts of one that is cut up (an encoder and its
 * decoders) are models of their own, named `<folder>.<part>`.
 *
 * @module
 */

import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { ServeError } from '../errors.ts';

/** A graph in such a folder. */
export interface Graph {
  /** '' for the model itself, else the name of its part. */
  readonly part: string;
  readonly path: string;
}

/** What `config.json` says that matters for serving tensors. */
export interface HuggingFaceConfig {
  /** Names of the classes in the order of the scores. */
  readonly labels: readonly string[] | undefined;
}

/** The version of a model that has no versions. */
export const ONLY_VERSION = '1';

/** The graphs of a folder that has a `config.json`; none if it is no such folder. */
export function graphsOf(folder: string): readonly Graph[] {
  if (!existsSync(join(folder, 'config.json'))) return [];
  const place = existsSync(join(folder, 'onnx')) ? join(folder, 'onnx') : folder;
  const files = readdirSync(place).filter((file) => file.endsWith('.onnx'));
  // Beside the model itself there are often quantised copies of it, which are not parts.
  if (files.includes('model.onnx')) return [{ part: '', path: join(place, 'model.onnx') }];
  return files
    .filter((file) => /^(?:encoder|decoder|vision|text|audio|embed|prompt)/.test(file))
    .filter((file) => !/_(?:fp16|int8|uint8|q4|q4f16|bnb4|quantized)\.onnx$/.test(file))
    .sort()
    .map((file) => ({ part: basename(file, '.onnx'), path: join(place, file) }));
}

/** @throws {ServeError} `INVALID_CONFIG` for a file that cannot be read. */
export function readHuggingFace(name: string, folder: string): HuggingFaceConfig {
  let config: { id2label?: Readonly<Record<string, unknown>> };
  try {
    config = JSON.parse(readFileSync(join(folder, 'config.json'), 'utf8'));
  } catch {
    throw new ServeError('INVALID_CONFIG', `config.json of "${name}" is not valid JSON.`);
  }
  const byId = config.id2label ?? {};
  const ids = Object.keys(byId).map(Number);
  const labels = ids.toSorted((a, b) => a - b).map((id) => String(byId[id]));
  return { labels: ids.every((id) => ids.length > id) && labels.length > 0 ? labels : undefined };
}
