/**
 * The functions of the addon that generate text, as TypeScript types. `binding.ts` has the others.
 *
 * @module
 */

import type { DeviceReport } from './device-types.ts';
import type { NativeDevice } from './devices.ts';
import type { GeneratorStats } from './generation-types.ts';

/** A file of a generative model. Its digest is that of `NativeFacts`. */
export interface NativeModelFile {
  path: string;
  digest: string;
}

/** `GeneratorOptions` with all defaults filled in. A duration has its unit in its name. */
export interface NativeGeneratorOptions extends NativeDevice {
  /** Loads with equal keys share one decoder. */
  key: string;
  decoder: NativeModelFile;
  decoderWithPast?: NativeModelFile;
  encoder?: NativeModelFile;
  /** As in `NativeLoadOptions`. */
  copyFolder: string;
  /** 0 means the cores that are left beside the JavaScript threads. */
  intraOpThreads: number;
  /** 0 means that there is no limit, or that it is not known. */
  maxPositions: number;
  /** As `maxPositions`. */
  maxEncoderPositions: number;
  maxRows: number;
  maxPrefillTokens: number;
  cacheBytes: number;
  maxQueue: number;
  runLimitMs: number;
  weight: number;
}

/** The numbers of the enum `EarlyStopping` in generation/options.h. */
export const EARLY_STOPPING = { heuristic: 0, first: 1, exact: 2 } as const;

/** `GenerateOptions` with all defaults filled in, except those that JavaScript alone needs. */
export interface NativeGenerateOptions {
  maxNewTokens: number;
  minNewTokens: number;
  numBeams: number;
  lengthPenalty: number;
  /** One of `EARLY_STOPPING`. */
  earlyStopping: number;
  doSample: boolean;
  temperature: number;
  topK: number;
  topP: number;
  /** -1 means that the addon chooses one. */
  seed: number;
  repetitionPenalty: number;
  noRepeatNgramSize: number;
  encoderNoRepeatNgramSize: number;
  eosTokenIds: Int32Array;
  padTokenId: number;
  /** -1 means that there is none. */
  decoderStartTokenId: number;
  /** -1 means that none is forced. */
  forcedBosTokenId: number;
  /** As `forcedBosTokenId`. */
  forcedEosTokenId: number;
  suppressTokens: Int32Array;
  beginSuppressTokens: Int32Array;
  badWordsIds: readonly Int32Array[];
  stream: boolean;
  priority: number;
  /** Nanoseconds; -1 means that there is no deadline. */
  timeoutNs: number;
}

/** A loaded generative model as one JavaScript thread sees it. */
export interface NativeGenerator {
  readonly encoderDecoder: boolean;
  readonly vocabulary: number;
  /** 0 if it is not known. */
  readonly maxPositions: number;
  readonly cacheBytesPerToken: number;
  readonly mixedLengths: boolean;
  readonly intraOpThreads: number;
  readonly report: DeviceReport;
  /**
   * Submits a generation, which a call of `wake` must follow. Returns its slot, or the negative number of an error
   * code. With UNAVAILABLE the mailbox then starts with the milliseconds after which to try again.
   */
  generate(inputIds: Int32Array, options: NativeGenerateOptions): number;
  /** Makes sure that the generator sees the generations that were submitted. */
  wake(): void;
  /** Returns null once the model has been released. */
  stats(): GeneratorStats | null;
  release(): Promise<void>;
}

/** The functions of the engine object for generations. */
export interface NativeGenerations {
  loadGenerator(options: NativeGeneratorOptions): Promise<NativeGenerator>;
  /**
   * Writes records of generations with new tokens, and of those that have ended, to the mailbox. Returns how many, which
   * is 0 when all have been drained.
   */
  drainGenerations(): number;
  /** Copies the tokens of a generation that has ended, makes its slot free again, and returns why it failed or ''. */
  takeGeneration(slot: number, tokens: Int32Array): string;
  cancelGeneration(slot: number): void;
}
