/**
 * The store of artifacts, over any place for objects.
 *
 * The object `sha256/ab/abcdef…` has this digest: it is a model file, or the manifest of a folder, whose files are the
 * objects `sha256/ab/abcdef….files/<digest>`. It is written last, so an artifact is there whole or not at all, and a
 * marker in `uploads/` lets a later process remove the files of one whose writer has died.
 *
 * @module
 */

import { createHash } from 'node:crypto';
import { ServeError } from '../errors.ts';
import {
  type Artifact,
  type ArtifactFile,
  artifactOf,
  damaged,
  hexOf,
  isManifest,
  MANIFEST_START,
  MAX_MANIFEST_BYTES,
  manifestOf,
  missing,
  ONLY_FILE,
  onlyFile,
  parseManifest,
  type TransferOptions,
} from './artifact.ts';
import { downloadFiles, FILES_AT_ONCE } from './download.ts';
import { eachAtOnce } from './each-at-once.ts';
import { chunksOf, type LocalArtifact, openFile, placeOf } from './local-files.ts';
import { type Objects, UPLOADS } from './objects.ts';
import { isAbandoned, ownName } from './owner.ts';
import { refused } from './paths.ts';

/** Where the models of registered versions are kept. Every error is a `ServeError`. */
export interface ArtifactStore {
  /**
   * Stores what `hashArtifact` has hashed, unless it is stored already. A crash at any moment leaves nothing half.
   *
   * @throws {ServeError} `REJECTED` if the files changed since they were hashed; `STORE_UNAVAILABLE`
   */
  put(artifact: LocalArtifact, options?: TransferOptions): Promise<void>;
  /**
   * Makes a folder with the files of an artifact, all of them checked against the digest; a single model file is
   * `model.onnx` in it. A folder that is there with these files is left as it is, and one with others is replaced. What a
   * process that died had downloaded is not downloaded again.
   *
   * @param folder Its parent must be on the same file system as what is in it, and is made if it does not exist.
   * @returns What `hashArtifact(folder)` would return.
   * @throws {ServeError} `NOT_FOUND`, `STORE_UNAVAILABLE`, or `INTERNAL` if what is stored is damaged
   */
  fetch(digest: string, folder: string, options?: TransferOptions): Promise<LocalArtifact>;
  has(digest: string): Promise<boolean>;
  /** Removes an artifact, if it is there. The caller knows that no version needs it. */
  delete(digest: string): Promise<void>;
  /** Removes what processes have left that died while they stored something. */
  sweep(): Promise<void>;
  close(): void;
}

export class ObjectArtifacts implements ArtifactStore {
  readonly #objects: Objects;

  constructor(objects: Objects) {
    this.#objects = objects;
  }

  async put(artifact: LocalArtifact, options: TransferOptions = {}): Promise<void> {
    const key = keyOf(artifact.digest);
    if (await this.has(artifact.digest)) return;
    const progress = { done: 0, total: artifact.bytes };
    const write = (to: string, file: ArtifactFile) =>
      this.#objects.write(to, contentOf(artifact, file, options, progress));
    const only = onlyFile(artifact.files);
    if (only !== undefined) return write(key, only);
    const marker = `${UPLOADS}${hexOf(artifact.digest)}.${ownName()}`;
    await this.#objects.write(marker, bytesOf(''));
    try {
      await eachAtOnce(artifact.files, FILES_AT_ONCE, (file) => write(fileKey(key, file), file));
      await this.#objects.write(key, bytesOf(manifestOf(artifact.files)));
      await this.#checkComplete(key, artifact);
    } finally {
      // What this cannot remove, because the store is out of reach, a later sweep removes.
      await this.#abandon(marker).catch(() => {});
    }
  }

  async fetch(
    digest: string,
    folder: string,
    options: TransferOptions = {},
  ): Promise<LocalArtifact> {
    const key = keyOf(digest);
    const artifact = await this.#read(digest);
    const source = (file: ArtifactFile, start: number) =>
      this.#objects.read(onlyFile(artifact.files) ? key : fileKey(key, file), start);
    await downloadFiles(artifact, folder, source, options);
    return { ...artifact, source: folder, isFolder: true };
  }

  async has(digest: string): Promise<boolean> {
    return (await this.#objects.size(keyOf(digest))) !== undefined;
  }

  async delete(digest: string): Promise<void> {
    const key = keyOf(digest);
    // Without this object nobody finds the others, so the order makes the removal atomic.
    await this.#objects.remove(key);
    await this.#removeFiles(key);
  }

  async sweep(): Promise<void> {
    await this.#objects.sweep();
    for (const { key, modified } of await this.#objects.list(UPLOADS)) {
      const [, owner] = /^[0-9a-f]{64}\.(.+)$/.exec(key.slice(UPLOADS.length)) ?? [];
      if (owner !== undefined && isAbandoned(owner, modified)) await this.#abandon(key);
    }
  }

  /** A process that swept the store may just have removed what a dead one had left of the same artifact. */
  async #checkComplete(key: string, { files }: Artifact): Promise<void> {
    const stored = new Set((await this.#objects.list(`${key}.files/`)).map((each) => each.key));
    if (files.every((file) => stored.has(fileKey(key, file)))) return;
    await this.#objects.remove(key);
    throw new ServeError('STORE_UNAVAILABLE', 'The artifact could not be stored; retry.');
  }

  /** Ends an upload: what it stored is removed, unless the artifact is complete or another upload is storing it. */
  async #abandon(marker: string): Promise<void> {
    const hex = marker.slice(UPLOADS.length, UPLOADS.length + 64);
    const key = keyOf(`sha256:${hex}`);
    await this.#objects.remove(marker);
    const others = await this.#objects.list(UPLOADS);
    if (others.some((other) => other.key.startsWith(`${UPLOADS}${hex}.`))) return;
    if ((await this.#objects.size(key)) === undefined) await this.#removeFiles(key);
  }

  async #removeFiles(key: string): Promise<void> {
    for (const file of await this.#objects.list(`${key}.files/`)) {
      await this.#objects.remove(file.key);
    }
  }

  close(): void {
    this.#objects.close();
  }

  /** What an artifact consists of. @throws {ServeError} `NOT_FOUND`, `INTERNAL` */
  async #read(digest: string): Promise<Artifact> {
    const key = keyOf(digest);
    const bytes = await this.#objects.size(key);
    if (bytes === undefined) throw missing();
    const isFolder =
      bytes > MANIFEST_START.length &&
      isManifest(await gather(this.#objects.read(key, 0, MANIFEST_START.length)));
    if (!isFolder) return artifactOf([{ path: ONLY_FILE, bytes, sha256: hexOf(digest) }]);
    if (bytes > MAX_MANIFEST_BYTES) throw damaged();
    return parseManifest(digest, await gather(this.#objects.read(key, 0)));
  }
}

const keyOf = (digest: string): string => {
  const hex = hexOf(digest);
  return `sha256/${hex.slice(0, 2)}/${hex}`;
};

const fileKey = (key: string, { sha256 }: ArtifactFile): string => `${key}.files/${sha256}`;

async function* bytesOf(text: string): AsyncGenerator<Uint8Array> {
  if (text !== '') yield Buffer.from(text);
}

async function gather(chunks: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const parts: Buffer[] = [];
  for await (const chunk of chunks) parts.push(Buffer.from(chunk));
  return Buffer.concat(parts);
}

/** The content of a file of an artifact. @throws {ServeError} `REJECTED` at its end, if it is not what was hashed. */
async function* contentOf(
  artifact: LocalArtifact,
  file: ArtifactFile,
  { signal, onProgress }: TransferOptions,
  progress: { done: number; readonly total: number },
): AsyncGenerator<Uint8Array> {
  const hash = createHash('sha256');
  await using handle = await openFile(placeOf(artifact, file), file.path);
  for await (const chunk of chunksOf(handle, 0, signal)) {
    hash.update(chunk);
    yield chunk;
    progress.done += chunk.byteLength;
    onProgress?.(progress.done, progress.total);
  }
  if (hash.digest('hex') !== file.sha256) throw refused(file.path, 'changed while it was stored');
}
