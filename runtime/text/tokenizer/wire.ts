/** @module The messages between those who use a tokenizer and its thread. */

import type { MessagePort } from 'node:worker_threads';
import type { Failure } from '../../failure.ts';
import type { Division } from './least-tokens.ts';
import type { SpecialTokens } from './special-tokens.ts';

/** What a thread finds out about its tokenizer. */
export interface LoadedFacts {
  readonly size: number;
  readonly specialTokens: SpecialTokens;
  readonly truncationSide: 'left' | 'right';
  readonly padding: { readonly side: 'left' | 'right'; readonly id: number } | undefined;
  readonly continuingPrefix: string | undefined;
  readonly unknownId: number | undefined;
  /** The algorithm, such as `WordPiece`. */
  readonly model: string;
  /** Ids of tokens that are bytes, of which the decoder joins a whole run to text; none without such a decoder. */
  readonly byteIds: readonly number[];
  readonly division: Division;
}

/** How a thread is started. */
export interface TokenizerThreadData {
  readonly path: string;
  /** SHA-256 of the file, hexadecimal. */
  readonly digest: string;
}

/** What a thread tells the one that started it. */
export type TokenizerThreadEvent =
  | { readonly kind: 'ready'; readonly facts: LoadedFacts }
  | { readonly kind: 'failed'; readonly failure: Failure };

/** What the one that started a thread tells it. */
export type TokenizerThreadCommand =
  /** Answer the requests that arrive at a port. */
  | { readonly kind: 'connect'; readonly port: MessagePort }
  /** Free the tokenizer. Nobody uses it any more. */
  | { readonly kind: 'end' };

export interface EncodeRequest {
  readonly kind: 'encode';
  readonly id: number;
  readonly texts: readonly string[];
  readonly offsets: boolean;
  /** As `EncodeOptions.splitSpecialTokens`. */
  readonly split: boolean;
  /** The most tokens of all texts together. */
  readonly limit: number;
}

export type TokenizerRequest =
  | EncodeRequest
  /** Drop a request to encode, if it has not begun. */
  | { readonly kind: 'cancel'; readonly id: number }
  | { readonly kind: 'decode'; readonly id: number; readonly lists: readonly (readonly number[])[] }
  | { readonly kind: 'names'; readonly id: number; readonly ids: readonly number[] }
  | { readonly kind: 'id'; readonly id: number; readonly name: string };

/**
 * The tokens of all texts of a request, one text after the other, without special tokens. They are sent as buffers, because
 * Deno copies arrays on them at 60 MB/s.
 */
export interface Encoded {
  /** int32 */
  readonly ids: ArrayBuffer;
  /** Tokens of each text, int32. */
  readonly lengths: ArrayBuffer;
  /** Start and end of each token in code points, uint32. */
  readonly offsets: ArrayBuffer | undefined;
}

export type TokenizerReply =
  | { readonly id: number; readonly encoded: Encoded }
  /** Of lists of tokens, or the names of tokens. */
  | { readonly id: number; readonly texts: readonly string[] }
  | { readonly id: number; readonly tokenId: number | undefined }
  | { readonly id: number; readonly failure: Failure };
