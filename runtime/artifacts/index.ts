/** @module Artifacts: the files of registered models, stored by their digest in a folder or an S3 store. */

import type { PlatformSettings } from '../config/index.ts';
import { FolderObjects } from './folder-objects.ts';
import { S3Objects } from './s3-objects.ts';
import { type ArtifactStore, ObjectArtifacts } from './store.ts';

export {
  type Artifact,
  type ArtifactFile,
  artifactOf,
  ONLY_FILE,
  type OnProgress,
  type TransferOptions,
} from './artifact.ts';
export { sweepDownloads } from './download.ts';
export { fileError } from './file-error.ts';
export { hashArtifact, type LocalArtifact } from './local-files.ts';
export { isAbandoned, ownName } from './owner.ts';
export { checkPath } from './paths.ts';
export { downloadSource } from './s3-source.ts';
export type { ArtifactStore } from './store.ts';
export { limitStream } from './tar.ts';
export { isArchive, type UnpackOptions, unpackArchive } from './unpack.ts';
export { type MemberPlace, overlapping } from './zip.ts';

/** Opens the store of artifacts. Nothing is read or made before it is used. The caller closes it. */
export function openArtifacts({
  artifacts,
  s3,
}: Pick<PlatformSettings, 'artifacts' | 's3'>): ArtifactStore {
  const isS3 = artifacts.startsWith('s3://');
  return new ObjectArtifacts(isS3 ? new S3Objects(artifacts, s3) : new FolderObjects(artifacts));
}
