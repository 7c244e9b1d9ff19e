/** @module Finds out whether a model's files have changed since it was loaded. */

import type { Stats } from 'node:fs';
import { readdir, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { ServeError } from '../errors.ts';
import type { ModelFolder, VersionFolder } from './model-folder.ts';

/** Depth of the folders below a version's folder whose files count too: external data may be in one. */
const DEPTH = 2;

/**
 * Changes whenever the model's files do: the model, its external data and whatever else lies beside it, since
 * only the model itself knows which of those it reads.
 */
export async function fingerprint(model: ModelFolder): Promise<string> {
  const { name, config, settings, versions } = model;
  const files: unknown[] = [];
  for (const version of versions) {
    files.push([version.version, version.path, ...(await filesOf(version))]);
  }
  const said = config instanceof ServeError ? config.message : config;
  return JSON.stringify([name, said, settings.declared, settings.labels, files]);
}

async function filesOf({ version, path, bytes }: VersionFolder): Promise<readonly unknown[]> {
  if (bytes !== undefined) return [bytes.byteLength];
  const folder = dirname(path);
  // A folder of its own may hold folders; one that is shared by several models must not be walked.
  const depth = folder.endsWith(`/${version}`) ? DEPTH : 0;
  return [numbers(await statsOf(path)), ...(await beside(folder, depth))];
}

/** Every file except other models and files that cannot be read. */
async function beside(folder: string, depth: number): Promise<unknown[]> {
  const names = await readdir(folder).catch(() => []);
  const found: unknown[] = [];
  for (const name of names.sort()) {
    const path = join(folder, name);
    const stats = await statsOf(path);
    if (stats?.isDirectory()) {
      if (depth > 0) found.push(...(await beside(path, depth - 1)));
    } else if (stats?.isFile() && !name.endsWith('.onnx')) {
      found.push([name, ...numbers(stats)]);
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
