/**
 * Reads folders that other people fill. Whatever lies in one, reading it never throws and never blocks:
 * what cannot be used is skipped with a reason.
 *
 * @module
 */

import { readdirSync, readFileSync, type Stats, statSync } from 'node:fs';
import { join } from 'node:path';
import { ServeError } from '../errors.ts';

/** Something in the repository that is not served, and why. */
export interface Skipped {
  /** Its path within the repository, such as `iris/assets`. */
  readonly name: string;
  readonly reason: string;
}

/** Records that something is skipped. */
export type Skip = (name: string, reason: string) => void;

/** A file or folder of the repository, with links followed. */
export interface Entry {
  readonly name: string;
  /** Its path within the repository: the only path that a client may see. */
  readonly label: string;
  readonly path: string;
  /** `broken`: neither a file nor a folder, or a link that leads nowhere. */
  readonly kind: 'file' | 'folder' | 'broken';
}

type Folder = Pick<Entry, 'label' | 'path'>;

/** Largest configuration file that is read. */
const MAX_CONFIG_BYTES = 4 * 1024 * 1024;

/** The entries of a folder in the order of their names; empty where it cannot be read, which is recorded. */
export function listFolder(folder: Folder, skip: Skip): Entry[] {
  try {
    return listReadableFolder(folder, skip);
  } catch (error) {
    skip(folder.label, whyUnreadable(error));
    return [];
  }
}

/** The same. @throws what the operating system says where the folder itself cannot be read. */
export function listReadableFolder(folder: Folder, skip: Skip): Entry[] {
  return readdirSync(folder.path)
    .sort()
    .map((name) => inspect(folder, name, skip))
    .filter((entry) => entry !== undefined);
}

/** Undefined for hidden files and folders. */
function inspect(folder: Folder, name: string, skip: Skip): Entry | undefined {
  // Kubernetes keeps the files of a mounted volume in hidden folders such as `..data`, one for each
  // update, and the server keeps its caches in `.millrace`.
  if (name.startsWith('..') || name === '.millrace') return undefined;
  const label = folder.label === '' ? name : `${folder.label}/${name}`;
  const path = join(folder.path, name);
  const stats = inspectPath(path, label, skip);
  if (stats === undefined) return { name, label, path, kind: 'broken' };
  if (name.startsWith('.')) {
    if (stats.isDirectory() || name.endsWith('.onnx')) skip(label, 'Its name starts with a dot');
    return undefined;
  }
  if (stats.isDirectory()) return { name, label, path, kind: 'folder' };
  if (stats.isFile()) return { name, label, path, kind: 'file' };
  skip(label, 'It is neither a file nor a folder');
  return { name, label, path, kind: 'broken' };
}

function inspectPath(path: string, label: string, skip: Skip): Stats | undefined {
  try {
    return statSync(path);
  } catch (error) {
    // A name that is no UTF-8 arrives with U+FFFD in it, under which there is no file.
    skip(label, label.includes('\uFFFD') ? 'Its name is not valid UTF-8' : whyUnreadable(error));
    return undefined;
  }
}

/** Why the operating system could not read something, without its path. */
export function whyUnreadable(error: unknown): string {
  const code = error instanceof Error && 'code' in error ? String(error.code) : 'unknown error';
  switch (code) {
    case 'ENOENT':
      return 'It does not exist, or it is a link to something that does not exist';
    case 'ELOOP':
      return 'It is a link that leads back to itself';
    case 'ENOTDIR':
      return 'It is not a folder';
    case 'EACCES':
    case 'EPERM':
      return 'The server has no permission to read it';
    default:
      return `It cannot be read (${code})`;
  }
}

/**
 * The content of a file beside a model.
 *
 * @param what Names the file in errors, such as `model.json of "iris"`.
 * @throws {ServeError} `INVALID_CONFIG`
 */
export function readBytes(path: string, what: string, maxBytes: number): Buffer {
  const fault = (reason: string, cause?: unknown) =>
    new ServeError('INVALID_CONFIG', `${what} cannot be read: ${reason}`, { cause });
  let stats: Stats;
  try {
    stats = statSync(path);
  } catch (error) {
    throw fault(lowerFirst(whyUnreadable(error)), error);
  }
  // Checked first, because reading a pipe would wait for somebody to write to it.
  if (!stats.isFile()) throw fault('it is not a file');
  if (stats.size > maxBytes) {
    throw fault(`it has ${stats.size} bytes, and at most ${maxBytes} are allowed`);
  }
  try {
    return readFileSync(path);
  } catch (error) {
    throw fault(lowerFirst(whyUnreadable(error)), error);
  }
}

/** The text of a configuration file, without a byte order mark. @throws {ServeError} `INVALID_CONFIG` */
export function readText(path: string, what: string): string {
  const bytes = readBytes(path, what, MAX_CONFIG_BYTES);
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch (cause) {
    const message = `${what} is not UTF-8 text; save it as UTF-8`;
    throw new ServeError('INVALID_CONFIG', message, { cause });
  }
}

const lowerFirst = (sentence: string) => sentence[0]!.toLowerCase() + sentence.slice(1);
