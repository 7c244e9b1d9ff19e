/** @module Frees memory of the library that belongs to objects which nothing uses any more. */

import { collectGarbage } from '../../host/index.ts';

/** Bytes of a token in the library: its name, its places and what else an encoding has. */
const TOKEN_BYTES = 500;
/** How much may be left to the garbage collector. */
const MOST_BYTES = 64 * 1024 * 1024;

/**
 * The garbage collector does not know how large encodings are, because their memory is that of the library: without help,
 * requests with long texts would fill the memory before it runs.
 */
export class Collector {
  #bytes = 0;

  /** Called when encodings with so many tokens are not needed any more, or soon will not be. */
  left(tokens: number): void {
    this.#bytes += tokens * TOKEN_BYTES;
    if (this.#bytes < MOST_BYTES) return;
    // What is still in use now is freed the next time.
    collectGarbage(this.#bytes);
    this.#bytes = 0;
  }
}
