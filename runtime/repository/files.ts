/**
 * Reads folders whose contents can be anything. Reading one never throws: an entry that cannot be used is
 * skipped with a reason. All reading is asynchronous, because a thread that serves requests reads too, and the
 * file system may be slow.
 *
 * @module
 */

import type { Dirent, Stats } from 'node:fs';
import { readdir, readFile, realpath, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { ServeError } from '../errors.ts';

/** An entry of the repository that is not served, and the reason. */
export interface Skipped {
  /** Its path within the repository, such as `iris/assets`. */
  readonly name: string;
  readonly reason: string;
}

/** Records a skipped entry. */
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

/** The entries of a folder in the order of their names; empty if it cannot be read, which is recorded. */
export async function listFolder(folder: Folder, skip: Skip): Promise<Entry[]> {
  try {
    return await listReadableFolder(folder, skip);
  } catch (error) {
    skip(folder.label, whyUnreadable(error));
    return [];
  }
}

/**
 * The same for the entries whose names are wanted.
 *
 * @throws the error of the operating system if the folder itself cannot be read.
 */
export async function listReadableFolder(
  folder: Folder,
  skip: Skip,
  isWanted: (name: string) => boolean = () => true,
): Promise<Entry[]> {
  const all = await readdir(folder.path, { withFileTypes: true });
  // The filter comes first, because each link is inspected separately afterwards.
  const items = all.filter(({ name }) => isWanted(name));
  items.sort((a, b) => (a.name < b.name ? -1 : 1));
  const entries: Entry[] = [];
  for (const item of items) {
    const entry = await inspect(folder, item, skip);
    if (entry !== undefined) entries.push(entry);
  }
  return entries;
}

/** Undefined for hidden files and folders. */
async function inspect(folder: Folder, item: Dirent, skip: Skip): Promise<Entry | undefined> {
  const { name } = item;
  // Kubernetes keeps the files of a mounted volume in hidden folders such as `..data`, one for each
  // update, and the server keeps its caches in `.millrace`.
  if (name.startsWith('..') || name === '.millrace') return undefined;
  const label = folder.label === '' ? name : `${folder.label}/${name}`;
  const path = join(folder.path, name);
  const kind = await kindOf(folder, item, path);
  if (kind !== 'file' && kind !== 'folder') {
    skip(label, kind);
    return { name, label, path, kind: 'broken' };
  }
  if (!name.startsWith('.')) return { name, label, path, kind };
  if (kind === 'folder' || name.endsWith('.onnx')) skip(label, 'Its name starts with a dot');
  return undefined;
}

/** What an entry is, or a sentence that says why it cannot be used. */
async function kindOf(folder: Folder, item: Dirent, path: string): Promise<string> {
  // A name that is not UTF-8 arrives with U+FFFD in it, and there is no file of that name.
  const isOdd = item.name.includes('\uFFFD');
  // A folder of data may hold very many files, so they are not inspected one by one.
  if (item.isFile() && !isOdd) return 'file';
  if (item.isDirectory() && !isOdd) return 'folder';
  try {
    const stats = await stat(path);
    if (stats.isFile()) return 'file';
    if (!stats.isDirectory()) return 'It is neither a file nor a folder';
    const isLoop = await leadsUp(folder.path, path);
    return isLoop ? 'It is a link to a folder that holds it' : 'folder';
  } catch (error) {
    return isOdd ? 'Its name is not valid UTF-8' : whyUnreadable(error);
  }
}

const leadsUp = async (from: string, link: string) =>
  `${await realpath(from)}/`.startsWith(`${await realpath(link)}/`);

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
export async function readBytes(path: string, what: string, maxBytes: number): Promise<Buffer> {
  const fault = (reason: string, cause?: unknown) =>
    new ServeError('INVALID_CONFIG', `${what} cannot be read: ${reason}.`, { cause });
  let stats: Stats;
  try {
    stats = await stat(path);
  } catch (error) {
    throw fault(lowerFirst(whyUnreadable(error)), error);
  }
  // This is checked first, because reading a pipe would wait for a writer.
  if (!stats.isFile()) throw fault('it is not a file');
  if (stats.size > maxBytes) {
    throw fault(`it has ${stats.size} bytes, and at most ${maxBytes} are allowed`);
  }
  try {
    return await readFile(path);
  } catch (error) {
    throw fault(lowerFirst(whyUnreadable(error)), error);
  }
}

/** The text of a configuration file, without a byte order mark. @throws {ServeError} `INVALID_CONFIG` */
export async function readText(path: string, what: string): Promise<string> {
  const bytes = await readBytes(path, what, MAX_CONFIG_BYTES);
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch (cause) {
    const message = `${what} is not UTF-8 text; save it as UTF-8.`;
    throw new ServeError('INVALID_CONFIG', message, { cause });
  }
}

/** The content of a JSON file. @throws {ServeError} `INVALID_CONFIG` */
export async function readJson(path: string, what: string): Promise<unknown> {
  const text = await readText(path, what);
  try {
    return JSON.parse(text);
  } catch (cause) {
    // Bun says what it expected, and Deno also at which line and column.
    const detail = cause instanceof SyntaxError ? cause.message : String(cause);
    const message = `${what} is not valid JSON: ${detail.replace(/^JSON Parse error: /, '')}.`;
    throw new ServeError('INVALID_CONFIG', message, { cause });
  }
}

const lowerFirst = (sentence: string) => sentence[0]!.toLowerCase() + sentence.slice(1);
