/** @module The folder on this machine in which the files of one registration are received and unpacked. */

import { cp, mkdir, readdir, rename, rm, stat } from 'node:fs/promises';
import { isAbsolute, join } from 'node:path';
import {
  downloadSource,
  fileError,
  hashArtifact,
  isAbandoned,
  isArchive,
  ownName,
  unpackArchive,
} from '../artifacts/index.ts';
import type { PlatformSettings } from '../config/index.ts';
import { invalidArgument, ServeError } from '../errors.ts';

type Settings = Pick<PlatformSettings, 'stateDir' | 's3' | 'allowLocalSources'>;

const UPLOADS = 'uploads';

export class Workspace implements AsyncDisposable {
  /** Where the caller writes what a client sends: a model file or an archive. */
  readonly upload: string;
  readonly #path: string;
  readonly #settings: Settings;

  private constructor(path: string, settings: Settings) {
    this.#path = path;
    this.upload = join(path, 'upload');
    this.#settings = settings;
  }

  /** The caller declares it with `await using`, which removes the folder. @throws {ServeError} `STORE_UNAVAILABLE` */
  static async open(settings: Settings): Promise<Workspace> {
    await sweep(join(settings.stateDir, UPLOADS));
    const path = join(settings.stateDir, UPLOADS, ownName());
    await onDisk(mkdir(path, { recursive: true }));
    return new Workspace(path, settings);
  }

  /**
   * Gets what a registration names as its source instead of sending it.
   *
   * @param source `s3://bucket/key`, or, with `ALLOW_LOCAL_SOURCES`, an absolute path on this machine.
   * @returns the folder with the files of the version
   * @throws {ServeError} `INVALID_ARGUMENT`, `FORBIDDEN`, `NOT_FOUND`, `REJECTED`, `PAYLOAD_TOO_LARGE`, `STORE_UNAVAILABLE`
   */
  async fetch(source: string): Promise<string> {
    if (source.startsWith('s3://')) {
      return this.unpack(
        await downloadSource(source, join(this.#path, 'source'), this.#settings.s3),
      );
    }
    if (!isAbsolute(source) || source.includes('\0')) {
      throw invalidArgument('source must be s3://bucket/key, or an absolute path on the server.');
    }
    if (!this.#settings.allowLocalSources) {
      throw new ServeError(
        'FORBIDDEN',
        'The server takes no files of its own as a source; start it with ALLOW_LOCAL_SOURCES=true, or send the file.',
      );
    }
    // Links are refused before anything is copied, and once more in the copy.
    await hashArtifact(source);
    await onDisk(cp(source, this.upload, { recursive: true, verbatimSymlinks: true }));
    return this.unpack();
  }

  /**
   * Makes the folder with the files of the version: of an archive, what is in it, and of any other file a model file.
   *
   * @param given A file, or a folder, which is returned as it is.
   * @throws {ServeError} as `unpackArchive`
   */
  async unpack(given = this.upload): Promise<string> {
    if ((await stat(given)).isDirectory()) return given;
    const folder = join(this.#path, 'files');
    if (await isArchive(given)) {
      await unpackArchive(given, folder);
      await rm(given);
    } else {
      await onDisk(mkdir(folder));
      await onDisk(rename(given, join(folder, 'model.onnx')));
    }
    return folder;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await rm(this.#path, { recursive: true, force: true });
  }
}

/** @throws {ServeError} `STORE_UNAVAILABLE` for an error of the file system, such as a full disk */
async function onDisk(work: Promise<unknown>): Promise<void> {
  await work.catch((error) => {
    throw fileError(error, 'STATE_DIR cannot be written');
  });
}

/** Removes the folders of registrations whose server has died. */
async function sweep(uploads: string): Promise<void> {
  for (const name of await readdir(uploads).catch(() => [])) {
    const path = join(uploads, name);
    const modified = await stat(path).then(
      ({ mtimeMs }) => mtimeMs,
      () => undefined,
    );
    if (modified !== undefined && isAbandoned(name, modified)) {
      await rm(path, { recursive: true, force: true });
    }
  }
}
