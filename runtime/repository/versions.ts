/** @module Finds the versions of a model, which are the folders that hold a model file. */

import { type Entry, listFolder, type Skip } from './files.ts';
import { findGraphs, mediaFolderOf, onlyVersion } from './huggingface.ts';
import { chooseModelFile, isModelFile, MODEL_FILE, NO_MODEL } from './model-file.ts';
import { ONLY_VERSION, sortVersions, type VersionFolder } from './model-folder.ts';
import { skipConfigs } from './unused-configs.ts';

/** The model file that the folder of a version must hold. */
export interface Wanted {
  readonly filename: string;
  /** Whether another file may be the model if that one is missing. */
  readonly mayDiffer: boolean;
}

export const USUAL: Wanted = { filename: MODEL_FILE, mayDiffer: true };

export const named = (entries: readonly Entry[], wanted: string): Entry | undefined =>
  entries.find(({ name }) => name === wanted);

/**
 * The versions among the entries of a model's folder. Without any, a model file among them is version 1.
 *
 * @param isVersion Whether a folder of that name may be a version.
 * @returns At least one, or a sentence that says why there is none.
 */
export async function findVersions(
  entries: readonly Entry[],
  wanted: Wanted,
  skip: Skip,
  isVersion: (name: string) => boolean = () => true,
): Promise<readonly VersionFolder[] | string> {
  const versions: VersionFolder[] = [];
  const isFolder = ({ kind, name }: Entry) => kind === 'folder' && name !== wanted.filename;
  for (const entry of entries.filter(isFolder)) {
    const inside = await listFolder(entry, skip);
    const found = await findFiles(entry, inside, wanted, skip);
    if (typeof found === 'string') skip(entry.label, found);
    else if (isVersion(entry.name)) {
      versions.push({ version: entry.name, ...found });
      skipConfigs(inside, skip);
    } else skip(entry.label, 'Beside config.pbtxt the name of a version is a number');
  }
  if (versions.length > 0) {
    const loose = entries.filter(({ kind, name }) => kind !== 'folder' && isModelFile(name));
    for (const { label } of loose) skip(label, 'Beside it there are folders of versions');
    return sortVersions(versions, ({ version }) => version);
  }
  const found = await findModelFile(entries, wanted, skip);
  if (typeof found !== 'string') return [{ version: ONLY_VERSION, ...found }];
  if (!found.startsWith(NO_MODEL)) return found;
  return `${NO_MODEL}: expected ${wanted.filename} in a folder for each version`;
}

/** The files of a version, as far as they are known before it is loaded. */
type VersionFiles = Omit<VersionFolder, 'version' | 'bytes'>;

/** Those in the folder of a version, which may be laid out as one from Hugging Face, or why there are none. */
async function findFiles(
  folder: Entry,
  entries: readonly Entry[],
  wanted: Wanted,
  skip: Skip,
): Promise<VersionFiles | string> {
  const media = await mediaFolderOf(folder.name, entries, folder.path);
  if (wanted.mayDiffer && named(entries, 'config.json') !== undefined) {
    const graphs = await findGraphs(entries, skip);
    const found = typeof graphs === 'string' ? undefined : onlyVersion(graphs, media, entries);
    if (found !== undefined) return found;
  }
  const found = await findModelFile(entries, wanted, skip);
  return typeof found === 'string' || media === undefined ? found : { ...found, media };
}

/** The model file among the entries of a folder, or a sentence that says why there is none. */
async function findModelFile(
  entries: readonly Entry[],
  { filename, mayDiffer }: Wanted,
  skip: Skip,
): Promise<Pick<VersionFolder, 'path' | 'notes'> | string> {
  const file = named(entries, filename);
  if (file?.kind === 'file') return { path: file.path, notes: [] };
  if (file?.kind === 'broken') return `Its ${filename} is not a file that can be read`;
  if (file !== undefined) {
    // Triton takes a folder of that name, with the model file and its external data in it.
    const nested = named(await listFolder(file, skip), filename);
    if (nested?.kind === 'file') return { path: nested.path, notes: [] };
  }
  if (!mayDiffer) return `${NO_MODEL}: expected ${filename}`;
  const files = entries.filter(({ kind }) => kind === 'file');
  const chosen = chooseModelFile(files.map(({ name }) => name));
  if (typeof chosen === 'string') return chosen;
  return { path: named(files, chosen.name)!.path, notes: chosen.notes };
}
