/** @module What the operations on texts know about a version: its tokenizer, its window, and how its outputs are read. */

import type { PoolMode } from '../../native/index.ts';
import type { TextTokenizer } from './tokenizer/index.ts';

/** The tasks of models that take text, by the names that Hugging Face gives them. */
export const TEXT_TASKS = [
  'text-classification',
  'token-classification',
  'feature-extraction',
  'rerank',
  'zero-shot-classification',
  'text2text-generation',
  'text-generation',
] as const;

export type TextTaskName = (typeof TEXT_TASKS)[number];

/** How the scores of a sequence classifier are read: softmax, a sigmoid for each label, or the value itself. */
export type ProblemType =
  | 'single_label_classification'
  | 'multi_label_classification'
  | 'regression';

/** A version whose inputs are tokens of a text. It is made when the version loads, and never changes. */
export interface TextModel {
  readonly task: TextTaskName;
  readonly tokenizer: TextTokenizer;
  /** Most tokens of a run, special ones included. For a generative model: of its prompt, or of its encoder's input. */
  readonly window: number;
  /** Names of the inputs. The graph decides which of them there are. */
  readonly inputs: TextInputs;
  /**
   * The output that the task reads. Scores of labels are `[rows, labels]`, or `[rows, tokens, labels]` for
   * token-classification; embeddings are as `embedding` says. Its elements are float32 or float16.
   */
  readonly output: string;
  /** Names of the labels in the order of the scores; empty without labels. */
  readonly labels: readonly string[];
  /** Undefined if the configuration leaves it open: then one label means a sigmoid, and several mean a softmax. */
  readonly problemType: ProblemType | undefined;
  /** The `threshold` of requests that set none, if `model.json` has one. */
  readonly threshold: number | undefined;
  /** Set for models of the task feature-extraction. */
  readonly embedding: EmbeddingHead | undefined;
  /** Set for models that generate text. */
  readonly generation: GenerationDefaults | undefined;
  /** Whether rows of several texts may share a run, padded to the longest. */
  readonly batched: boolean;
}

/** The inputs of a graph that takes tokens, each `[rows, tokens]`. */
export interface TextInputs {
  readonly type: 'int64' | 'int32';
  /** The only number of tokens that the graph takes, to which every row is padded; undefined if it takes any. */
  readonly length: number | undefined;
  /** What `ids` are padded with, on the right. The other inputs are padded with 0. */
  readonly padId: number;
  readonly ids: string;
  /** 1 for tokens, and 0 for padding. */
  readonly mask: string | undefined;
  /** The number of the text of a pair that the token belongs to. */
  readonly types: string | undefined;
  /** The place of the token in its row, from 0 on, which only some exports take. */
  readonly positions: string | undefined;
}

/** What follows the graph of an embedding model: `modules.json` of sentence-transformers. */
export interface EmbeddingHead {
  /**
   * The output is `[rows, tokens, hidden]`, and these make its vectors of a text, one after the other in one vector. Undefined if
   * the output is `[rows, dimensions]` already, so that no other pooling can be chosen.
   */
  readonly pooling: readonly PoolMode[] | undefined;
  /** Whether the tokens of a prompt count for the pooling. */
  readonly poolsPrompt: boolean;
  /** Layers that are applied to the vector of a text, in order. */
  readonly dense: readonly DenseLayer[];
  /** Whether vectors are divided by their length by default. */
  readonly normalize: boolean;
  /** Texts that are written before a text, by their names, such as `query`. */
  readonly prompts: Readonly<Record<string, string>>;
  /** The name of the prompt of requests that name none. */
  readonly defaultPrompt: string | undefined;
  /** Numbers of a vector; undefined if neither the graph nor the configuration tells. */
  readonly dimensions: number | undefined;
}

/** A layer `activation(weight · x + bias)` in float32. */
export interface DenseLayer {
  readonly inFeatures: number;
  readonly outFeatures: number;
  /** `[outFeatures, inFeatures]`, one row after the other. */
  readonly weight: Float32Array;
  readonly bias: Float32Array | undefined;
  readonly activation: 'identity' | 'tanh' | 'relu' | 'gelu' | 'sigmoid';
}

/** How a model generates text if the request does not say otherwise: `generation_config.json`. */
export interface GenerationDefaults {
  /** Whether the text is the input of an encoder; otherwise it is a prompt, which the generated text continues. */
  readonly encoderDecoder: boolean;
  /** Most tokens that the decoder can see; undefined if its positions are relative. */
  readonly positions: number | undefined;
  /** For text that no task is named for. */
  readonly text: GenerationSettings;
  /** For summaries: the same with what `task_specific_params` of `config.json` says about them. */
  readonly summary: GenerationSettings;
}

/** One set of defaults. The lengths count as in transformers; they are absent if the files do not set them. */
export interface GenerationSettings {
  /** Written before the text, such as `summarize: `; '' if the model needs none. */
  readonly prefix: string;
  /** The start token and what was generated; with the prompt, if the model has no encoder. */
  readonly maxLength: number | undefined;
  /** Counted in the same way. */
  readonly minLength: number | undefined;
  readonly options: GenerationOptions;
}

/** Options by the engine's names (`GenerateOptions`); a key that the files do not set is absent. */
export interface GenerationOptions {
  readonly maxNewTokens?: number;
  readonly minNewTokens?: number;
  readonly numBeams?: number;
  readonly lengthPenalty?: number;
  readonly earlyStopping?: boolean | 'never';
  readonly doSample?: boolean;
  readonly temperature?: number;
  readonly topK?: number;
  readonly topP?: number;
  readonly repetitionPenalty?: number;
  readonly noRepeatNgramSize?: number;
  readonly encoderNoRepeatNgramSize?: number;
  readonly eosTokenIds?: readonly number[];
  readonly padTokenId?: number;
  readonly decoderStartTokenId?: number;
  readonly forcedBosTokenId?: number;
  readonly forcedEosTokenId?: number;
  readonly suppressTokens?: readonly number[];
  readonly beginSuppressTokens?: readonly number[];
  readonly badWordsIds?: readonly (readonly number[])[];
}
