/** @module The paths that an artifact may have: every name that could lead out of a folder, or mean two files, is refused. */

import { ServeError } from '../errors.ts';

/** How much an artifact may hold. */
export interface Limits {
  readonly bytes: number;
  /** Files and folders. */
  readonly entries: number;
}

export const ARTIFACT_LIMITS: Limits = { bytes: 16 * 1024 ** 3, entries: 10_000 };

const MAX_PATH_BYTES = 1024;
const MAX_NAME_BYTES = 255;
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is refused.
const FORBIDDEN = /[\u0000-\u001f\u007f\\\uFFFD]|\p{Surrogate}/u;

/** Collects the paths of an artifact and counts what it holds. Every error is a `ServeError`. */
export class PathSet {
  readonly #limits: Limits;
  /** By their canonical form, which is the same for names that some file systems cannot tell apart. */
  readonly #kinds = new Map<string, { readonly path: string; readonly kind: 'file' | 'folder' }>();
  #bytes = 0;

  constructor(limits: Limits) {
    this.#limits = limits;
  }

  /** The sum of the files' sizes. */
  get bytes(): number {
    return this.#bytes;
  }

  /** The number of files and folders. */
  get entries(): number {
    return this.#kinds.size;
  }

  /** @throws {ServeError} `REJECTED`, `PAYLOAD_TOO_LARGE` */
  addFile(path: string, bytes: number): void {
    checkPath(path);
    this.#addParents(path);
    this.#add(path, 'file');
    this.#bytes += bytes;
    if (this.#bytes <= this.#limits.bytes) return;
    const most = this.#limits.bytes;
    throw tooLarge(`The artifact has more than ${most} bytes, which is the most that it may have.`);
  }

  /** @throws {ServeError} `REJECTED`, `PAYLOAD_TOO_LARGE` */
  addFolder(path: string): void {
    checkPath(path);
    this.#addParents(path);
    this.#add(path, 'folder');
  }

  #addParents(path: string): void {
    const parts = path.split('/').slice(0, -1);
    parts.forEach((_, index) => {
      this.#add(parts.slice(0, index + 1).join('/'), 'folder');
    });
  }

  #add(path: string, kind: 'file' | 'folder'): void {
    const key = path.normalize('NFC').toLowerCase();
    const same = this.#kinds.get(key);
    if (same === undefined) {
      this.#kinds.set(key, { path, kind });
    } else if (same.path !== path) {
      throw refused(path, `differs from '${same.path}' only by its case or its accents`);
    } else if (kind === 'file' || same.kind === 'file') {
      throw refused(path, 'occurs twice');
    }
    if (this.#kinds.size <= this.#limits.entries) return;
    const most = this.#limits.entries;
    throw tooLarge(`The artifact has more than ${most} files and folders.`);
  }
}

/** @throws {ServeError} `REJECTED` unless it leads to an entry below the folder that it starts from, by one spelling only. */
export function checkPath(path: string): void {
  if (path === '') throw new ServeError('REJECTED', 'An entry of the artifact has no name.');
  if (FORBIDDEN.test(path)) {
    throw refused(path, 'has a backslash, a control character or a character that is not UTF-8');
  }
  if (path.startsWith('/') || /^[A-Za-z]:/.test(path)) throw refused(path, 'is absolute');
  const parts = path.split('/');
  if (parts.includes('..')) throw refused(path, "has a part '..'");
  if (parts.includes('.') || parts.includes('')) throw refused(path, 'has an empty part');
  const long = parts.some((part) => Buffer.byteLength(part) > MAX_NAME_BYTES);
  if (long || Buffer.byteLength(path) > MAX_PATH_BYTES) throw refused(path, 'is too long');
}

/** The error for an entry that an artifact must not have. @param reason The rest of the sentence. */
export function refused(path: string, reason: string): ServeError {
  return new ServeError('REJECTED', `The path '${shown(path)}' of the artifact ${reason}.`);
}

/** A path in a message: never absolute, of a limited length, and without characters that could forge a line. */
function shown(path: string): string {
  const short = path.length > 100 ? `${path.slice(0, 100)}…` : path;
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is replaced.
  return short.replace(/[\u0000-\u001f\u007f]|\p{Surrogate}/gu, '?');
}

const tooLarge = (message: string) => new ServeError('PAYLOAD_TOO_LARGE', message);
