/** @module Who has the threads of tokenizers: this thread, or the one that started it. */

import type { MessagePort } from 'node:worker_threads';
import type { LoadedFacts } from './wire.ts';

/** A connection to the thread of a tokenizer. */
export interface TokenizerConnection {
  /** Answers requests; see `wire.ts`. */
  readonly port: MessagePort;
  readonly facts: LoadedFacts;
  /** Resolves if the thread ends although it is in use. */
  readonly ended: Promise<void>;
  /** Says that the connection is not used any more. */
  release(): void;
}

export interface TokenizerHost {
  /**
   * Loads a tokenizer, or connects to the thread that has it.
   *
   * @param path That of `tokenizer.json`.
   * @throws {ServeError} `INVALID_CONFIG` with the reason why the file is no tokenizer.
   */
  connect(path: string): Promise<TokenizerConnection>;
  close(): Promise<void>;
}
