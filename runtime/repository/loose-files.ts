/** @module Model files at the top of the repository. Each is a model named after its file, with version 1. */

import type { Entry, Skip } from './files.ts';
import { isConfig, readConfig } from './layouts.ts';
import { isModelFile, MODEL_FILE } from './model-file.ts';
import { type ModelFolder, ONLY_VERSION } from './model-folder.ts';
import { DEFAULT_SETTINGS } from './settings.ts';
import { named } from './versions.ts';

export const looseName = (file: string): string => file.replace(/\.onnx$/i, '');

/**
 * The models, each with the path of its file within the repository. If `MODEL_PATH` is the folder of a single
 * model, `model.json` is beside the model file: it belongs to `model.onnx`, or to the only model file.
 *
 * @param entries The entries of the repository.
 * @param empty Its folders that hold no model, so that external data may be in them.
 */
export async function readLooseFiles(
  entries: readonly Entry[],
  empty: readonly Entry[],
  skip: Skip,
): Promise<readonly { readonly model: ModelFolder; readonly label: string }[]> {
  const files = entries.filter(({ kind, name }) => kind === 'file' && isModelFile(name));
  const owner = named(files, MODEL_FILE) ?? (files.length === 1 ? files[0] : undefined);
  for (const { name, label } of entries.filter((entry) => isConfig(entry.name))) {
    if (owner !== undefined && name === 'model.json') continue;
    skip(label, `It has no effect here: it belongs in the folder of a model, as <model>/${name}`);
  }
  const mayUse = (beside: string, entry: { isDirectory(): boolean }) =>
    entry.isDirectory() ? named(empty, beside) !== undefined : !isModelFile(beside);
  const read = async (file: Entry) => {
    const name = looseName(file.name);
    const versions = [{ version: ONLY_VERSION, path: file.path, mayUse, notes: [] }];
    const config = await readConfig(name, file === owner ? entries : [], [ONLY_VERSION]);
    return { model: { name, config, settings: DEFAULT_SETTINGS, versions }, label: file.label };
  };
  return Promise.all(files.map(read));
}
