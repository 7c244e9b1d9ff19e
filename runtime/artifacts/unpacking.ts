/** @module What unpacking tar and zip archives has in common: every entry passes here before anything is written. */

import { mkdir, open, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { ServeError } from '../errors.ts';
import type { TransferOptions } from './artifact.ts';
import { fileError } from './file-error.ts';
import { type Limits, PathSet, refused } from './paths.ts';

interface Options extends TransferOptions {
  readonly limits: Limits;
}

/** Files of models are compressed to a hundredth only if they are made for it; small archives may be. */
const MAX_RATIO = 100;
const FREE_BYTES = 64 * 1024 * 1024;
/** The headers of an entry of a tar archive, with a long name and its padding. */
const MAX_HEADER_BYTES = 8192;
/** What may follow the last entry of a tar archive, and what is read ahead. */
const MAX_REST_BYTES = 1024 * 1024;

export class Unpacking {
  readonly #folder: string;
  readonly #options: Options;
  readonly #maxBytes: number;
  readonly #paths: PathSet;
  #written = 0;

  private constructor(folder: string, options: Options, archiveBytes: number) {
    this.#folder = folder;
    this.#options = options;
    this.#maxBytes = Math.max(FREE_BYTES, MAX_RATIO * archiveBytes);
    this.#paths = new PathSet(options.limits);
  }

  /** @param folder Is empty. */
  static async start(archive: string, folder: string, options: Options): Promise<Unpacking> {
    return new Unpacking(folder, options, (await stat(archive)).size);
  }

  get signal(): AbortSignal | undefined {
    return this.#options.signal;
  }

  /** The most bytes that an archive without compression may have for the entries that were taken in so far. */
  get maxStreamBytes(): number {
    return this.#paths.bytes + this.#paths.entries * MAX_HEADER_BYTES + MAX_REST_BYTES;
  }

  /** Takes an entry in, before any of its content is read. @throws {ServeError} `REJECTED`, `PAYLOAD_TOO_LARGE` */
  add(path: string, kind: 'file' | 'folder', bytes: number): void {
    if (kind === 'folder') this.#paths.addFolder(path);
    else this.#paths.addFile(path, bytes);
    if (this.#paths.bytes <= this.#maxBytes) return;
    const message = `The archive unpacks to more than ${MAX_RATIO} times its size; send it without compression.`;
    throw new ServeError('PAYLOAD_TOO_LARGE', message);
  }

  async makeFolder(path: string): Promise<void> {
    await mkdir(join(this.#folder, path), { recursive: true });
  }

  /** @param bytes What the archive says about the length of the content. */
  async writeFile(path: string, content: AsyncIterable<Uint8Array>, bytes: number): Promise<void> {
    const place = join(this.#folder, path);
    await mkdir(dirname(place), { recursive: true });
    await using file = await open(place, 'wx', 0o644);
    let length = 0;
    for await (const chunk of content) {
      this.signal?.throwIfAborted();
      length += chunk.byteLength;
      if (length > bytes) break;
      await file.writeFile(chunk);
      this.#written += chunk.byteLength;
      this.#options.onProgress?.(this.#written);
    }
    if (length !== bytes) throw refused(path, 'has another length than the archive says');
  }
}

/** The error for an archive that cannot be unpacked. */
export function unreadable(cause: unknown): unknown {
  if (cause instanceof Error && cause.name === 'AbortError') return cause;
  const error = fileError(cause, 'The archive cannot be unpacked');
  return error instanceof ServeError ? error : damagedArchive(cause);
}

export const damagedArchive = (cause?: unknown): ServeError =>
  new ServeError('INVALID_ARGUMENT', 'The archive is damaged, or of an unknown form.', { cause });
