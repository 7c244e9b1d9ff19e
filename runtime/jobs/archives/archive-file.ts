/** @module A file of an archive, whatever the form of the archive. */

import { ServeError } from '../../errors.ts';

export interface ArchiveFile {
  /** As the archive has it. It is only shown: nothing is ever written to a path of this name. */
  readonly name: string;
  /** What the archive says about its length. */
  readonly bytes: number;
  /** Why its content cannot be read, as the end of a sentence that begins with "The file"; undefined if it can. */
  readonly fault: string | undefined;
  /**
   * Reads the content, at most once, and before the next file is asked for.
   *
   * @returns undefined if it is damaged and the files after it can be read nevertheless
   */
  read(): Promise<Uint8Array | undefined>;
}

/** How much an archive may hold. */
export interface ArchiveLimits {
  /** Entries, also folders and hidden files. */
  readonly entries: number;
  /** Bytes of all files together. */
  readonly bytes: number;
}

export const ARCHIVE_LIMITS: ArchiveLimits = { entries: 100_000, bytes: 4 * 1024 ** 3 };

export const tooManyEntries = ({ entries }: ArchiveLimits): ServeError =>
  new ServeError(
    'PAYLOAD_TOO_LARGE',
    `The archive has more than ${entries} files and folders; send it in several parts.`,
  );

export const tooManyBytes = (most: number): ServeError =>
  new ServeError(
    'PAYLOAD_TOO_LARGE',
    `The archive unpacks to more than ${most} bytes; send it in several parts.`,
  );

/** @param form Such as `zip`. */
export const damagedForm = (form: string, cause: unknown): ServeError =>
  new ServeError('INVALID_ARGUMENT', `The body is not a whole and undamaged ${form} archive.`, {
    cause,
  });
