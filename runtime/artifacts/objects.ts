/** @module The port that a place for artifacts implements: named objects that are there whole or not at all. */

/** The first part of the keys of what is being written; whatever stays there after a crash is removed later. */
export const UPLOADS = 'uploads/';

export interface StoredObject {
  readonly key: string;
  readonly bytes: number;
  /** Milliseconds since 1970. */
  readonly modified: number;
}

/** Keys are parts of letters, digits, `.`, `-` and `_`, with `/` between them. Every error is a `ServeError`. */
export interface Objects {
  /** Stores an object, or replaces it. Until that is done, and if `content` throws, nothing is there that was not before. */
  write(key: string, content: AsyncIterable<Uint8Array>): Promise<void>;
  /**
   * The content of an object from a position. Each chunk is valid until the next one is asked for.
   *
   * @param limit The most bytes that are wanted.
   * @throws {ServeError} `NOT_FOUND`
   */
  read(key: string, start: number, limit?: number): AsyncIterable<Uint8Array>;
  /** The length of an object; undefined if there is none. */
  size(key: string): Promise<number | undefined>;
  /** The objects whose keys start with a text that ends with `/`. */
  list(prefix: string): Promise<readonly StoredObject[]>;
  /** Removes an object, if it is there. */
  remove(key: string): Promise<void>;
  /** Removes what writers left that have ended, where that is not listed under `UPLOADS`. */
  sweep(): Promise<void>;
  close(): void;
}
