/** @module Tells whether a model's files have changed since it was loaded. */

import { readdirSync, type Stats, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { ServeError } from '../errors.ts';
import type { ModelFolder, VersionFolder } from './model-folder.ts';

/** Folders in a version's folder whose files count too: external data may lie in one. */
const DEPTH = 2;

/**
 * Changes whenever the model's files do: the model, its external data and whatever else lies beside it, since
 * only the model itself knows which of those it reads.
 */
export function fingerprint({ name, config, settings, versions }: ModelFolder): string {
  const files = versions.map((version) => [version.version, version.path, ...filesOf(version)]);
  const said = config instanceof ServeError ? config.message : config;
  return JSON.stringify([name, said, settings.declared, settings.labels, files]);
}

function filesOf({ version, path, bytes }: VersionFolder): readonly unknown[] {
  if (bytes !== undefined) return [bytes.byteLength];
  const folder = dirname(path);
  // A folder of its own may hold folders; one that is shared by several models must not be walked.
  const depth = folder.endsWith(`/${version}`) ? DEPTH : 0;
  return [about(path), ...beside(folder, depth)];
}

/** Every file but other models. What cannot be read is no part of it. */
function beside(folder: string, depth: number): unknown[] {
  let names: string[];
  try {
    names = readdirSync(folder).sort();
  } catch {
    return [];
  }
  return names.flatMap((name) => {
    const path = join(folder, name);
    const stats = statsOf(path);
    if (stats?.isDirectory()) return depth > 0 ? beside(path, depth - 1) : [];
    return stats?.isFile() && !name.endsWith('.onnx') ? [[name, ...numbers(stats)]] : [];
  });
}

const about = (path: string) => numbers(statsOf(path));

const numbers = (stats: Stats | undefined) => [
  stats?.ino,
  stats?.size,
  stats?.mtimeMs,
  stats?.ctimeMs,
];

function statsOf(path: string): Stats | undefined {
  try {
    return statSync(path, { throwIfNoEntry: false });
  } catch {
    return undefined;
  }
}
