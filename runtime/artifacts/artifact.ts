/**
 * What is stored of a model: one model file, or a folder of files. Both are named by a SHA-256 digest.
 *
 * A single model file has the digest of its bytes. Every other artifact has that of its manifest, a JSON text that lists
 * the files in the order of their paths, so that equal folders have equal digests wherever they lie.
 *
 * @module
 */

import { createHash } from 'node:crypto';
import { z } from 'zod';
import { ServeError } from '../errors.ts';
import { ARTIFACT_LIMITS, PathSet } from './paths.ts';

/** A file of an artifact. */
export interface ArtifactFile {
  /** Its path within the artifact, with `/` between the parts. */
  readonly path: string;
  readonly bytes: number;
  /** Lower-case hexadecimal. */
  readonly sha256: string;
}

export interface Artifact {
  /** `sha256:` and 64 lower-case hexadecimal digits. */
  readonly digest: string;
  /** The sum over the files. */
  readonly bytes: number;
  /** In the order of their paths. */
  readonly files: readonly ArtifactFile[];
}

/** Is called with the bytes that are done; `total` is missing where it is not known beforehand. */
export type OnProgress = (done: number, total?: number) => void;

export interface TransferOptions {
  readonly onProgress?: OnProgress | undefined;
  /** Ends the operation, which then rejects with the signal's reason. */
  readonly signal?: AbortSignal | undefined;
}

/** The name of a model file that is an artifact by itself. */
export const ONLY_FILE = 'model.onnx';

export const MANIFEST_START = '{"kind":"folder","files":[';
/** A manifest of the most files with the longest paths is smaller. */
export const MAX_MANIFEST_BYTES = 16 * 1024 * 1024;

const hex = z.string().regex(/^[0-9a-f]{64}$/);
const manifestSchema = z.strictObject({
  kind: z.literal('folder'),
  files: z.array(z.strictObject({ path: z.string(), bytes: z.int().min(0), sha256: hex })),
});

/** The artifact that consists of these files. */
export function artifactOf(files: readonly ArtifactFile[]): Artifact {
  const sorted = files.toSorted((a, b) => (a.path < b.path ? -1 : 1));
  const bytes = sorted.reduce((sum, file) => sum + file.bytes, 0);
  const only = onlyFile(sorted);
  const digest = only?.sha256 ?? createHash('sha256').update(manifestOf(sorted)).digest('hex');
  return { digest: `sha256:${digest}`, bytes, files: sorted };
}

/** The file of an artifact that consists of a model file alone. */
export function onlyFile(files: readonly ArtifactFile[]): ArtifactFile | undefined {
  return files.length === 1 && files[0]!.path === ONLY_FILE ? files[0] : undefined;
}

/** @param files In the order of their paths. */
export function manifestOf(files: readonly ArtifactFile[]): string {
  const lines = files.map(({ path, bytes, sha256 }) => JSON.stringify({ path, bytes, sha256 }));
  return `${MANIFEST_START}${lines.join(',')}]}`;
}

/** Whether bytes are the start of a manifest. No model file starts like this. */
export function isManifest(start: Uint8Array): boolean {
  return Buffer.from(start).subarray(0, MANIFEST_START.length).toString() === MANIFEST_START;
}

/** @throws {ServeError} `INTERNAL` if it has not the digest, or is not what `manifestOf` writes. */
export function parseManifest(digest: string, bytes: Uint8Array): Artifact {
  if (createHash('sha256').update(bytes).digest('hex') !== hexOf(digest)) throw damaged();
  const parsed = manifestSchema.safeParse(JSON.parse(Buffer.from(bytes).toString()));
  if (!parsed.success) throw damaged(parsed.error);
  const paths = new PathSet(ARTIFACT_LIMITS);
  for (const file of parsed.data.files) paths.addFile(file.path, file.bytes);
  return artifactOf(parsed.data.files);
}

/** The hexadecimal digits of a digest. @throws {ServeError} `INVALID_ARGUMENT` */
export function hexOf(digest: string): string {
  const found = /^sha256:([0-9a-f]{64})$/.exec(digest)?.[1];
  if (found !== undefined) return found;
  const message = `A digest is sha256: and 64 hexadecimal digits, but one is '${digest}'.`;
  throw new ServeError('INVALID_ARGUMENT', message);
}

export const missing = (): ServeError =>
  new ServeError('NOT_FOUND', 'The artifact is not in the store.');

export const damaged = (cause?: unknown): ServeError =>
  new ServeError('INTERNAL', 'The stored artifact is damaged: its digest is another one.', {
    cause,
  });
