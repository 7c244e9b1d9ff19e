/** @module What the files beside a graph say about the text that it takes. */

import type { EmbeddingHead, GenerationDefaults, ProblemType, TextTaskName } from './text-model.ts';
import type { TokenizerSource } from './tokenizer/index.ts';

/** How the graph of a version takes and returns text. It is read before the graph is loaded. */
export interface TextDescription {
  readonly task: TextTaskName;
  /** Undefined if the folder has no `tokenizer.json`. */
  readonly tokenizer: TokenizerSource | undefined;
  /** The id of padding, or its name in the vocabulary. Both are undefined if no file tells. */
  readonly padding: { readonly id: number | undefined; readonly token: string | undefined };
  /** Token ids that the model knows, from 0 on; undefined if no file tells. */
  readonly vocabulary: number | undefined;
  /** Most tokens of a text with special ones, as the files say; undefined if they do not. */
  readonly window: number | undefined;
  /** Positions that tokens of an input can have; undefined if there is no limit. */
  readonly positions: number | undefined;
  /** Names of the labels in the order of the scores; undefined if they have none. */
  readonly labels: readonly string[] | undefined;
  readonly problemType: ProblemType | undefined;
  /** Set for the task feature-extraction. The graph decides whether it is applied. */
  readonly embedding: EmbeddingHead | undefined;
  /** Set for tasks that generate text. */
  readonly generation: GenerationDefaults | undefined;
  /** Why texts cannot be read although the graph can be run, as a sentence without a full stop; undefined if they can. */
  readonly obstacle: string | undefined;
}
