/** @module Finds out whether a model's files have changed since it was loaded. */

import type { Stats } from 'node:fs';
import { readdir, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { ServeError } from '../errors.ts';
import type { ModelFolder, VersionFolder } from './model-folder.ts';

/** Depth of the folders below that of the model file whose files count too: external data may be in one. */
const MAX_DEPTH = 4;
/** Default for the most files and folders that are examined, because a model's folder may hold a whole data set. */
const MAX_ENTRIES = 10_000;

/**
 * Changes whenever the model's files do: the model, its external data and whatever else lies beside it, since
 * only the model itself knows which of those it reads.
 *
 * @param maxEntries The most files and folders that are examined for one version.
 */
export async function fingerprint(model: ModelFolder, maxEntries = MAX_ENTRIES): Promise<string> {
  const { name, config, settings, versions } = model;
  const files: unknown[] = [];
  for (const version of versions) {
    files.push([version.version, version.path, ...(await filesOf(version, maxEntries))]);
  }
  const said = config instanceof ServeError ? config.message : config;
  return JSON.stringify([name, said, settings.declared, settings.labels, files]);
}

async function filesOf(
  { path, bytes, media, mayUse = () => true }: VersionFolder,
  maxEntries: number,
): Promise<readonly unknown[]> {
  if (bytes !== undefined) return [bytes.byteLength];
  // The configuration is invalid, so the model file is unknown.
  if (path === '') return [];
  const folder = dirname(path);
  const files = [numbers(await statsOf(path)), ...(await filesIn(folder, mayUse, maxEntries))];
  return media === undefined || media.path === folder
    ? files
    : [...files, ...(await descriptionIn(media.path, maxEntries))];
}

/** The files that say how a model takes texts or images, in their folder and those of the modules of sentence-transformers. */
async function descriptionIn(folder: string, maxEntries: number): Promise<unknown[]> {
  const isPart = (name: string, entry: Pick<Stats, 'isDirectory'>) =>
    entry.isDirectory() ? /^\d+_/.test(name) : name.endsWith('.json');
  return filesIn(folder, isPart, maxEntries);
}

/** The files of a folder and of the folders in it, the nearest first, except files that cannot be read. */
async function filesIn(
  top: string,
  mayUse: NonNullable<VersionFolder['mayUse']>,
  maxEntries: number,
): Promise<unknown[]> {
  const found: unknown[] = [];
  const folders = [{ path: '', depth: 0 }];
  let left = maxEntries;
  for (const folder of folders) {
    if (left === 0) break;
    const names = await readdir(join(top, folder.path)).catch(() => []);
    for (const name of names.sort().slice(0, left)) {
      const path = join(folder.path, name);
      const stats = await statsOf(join(top, path));
      left -= 1;
      if (stats === undefined || (folder.depth === 0 && !mayUse(name, stats))) continue;
      if (stats.isFile()) found.push([path, ...numbers(stats)]);
      // Version control and downloads keep their own files in hidden folders.
      const isWalked = stats.isDirectory() && folder.depth < MAX_DEPTH && !name.startsWith('.');
      if (isWalked) folders.push({ path, depth: folder.depth + 1 });
    }
  }
  return found;
}

const numbers = (stats: Stats | undefined) => [
  stats?.ino,
  stats?.size,
  stats?.mtimeMs,
  stats?.ctimeMs,
];

/** Undefined if the file cannot be inspected. */
const statsOf = (path: string): Promise<Stats | undefined> => stat(path).catch(() => undefined);
