/** @module The options of generative models and of generations, checked, in the form in which the addon takes them. */

import { resolve } from 'node:path';
import { nativeDevice } from './devices.ts';
import { MillraceError } from './errors.ts';
import {
  EARLY_STOPPING,
  type NativeGenerateOptions,
  type NativeGeneratorOptions,
  type NativeModelFile,
} from './generation-binding.ts';
import type { GenerateOptions, GeneratorOptions } from './generation-types.ts';
import { real, whole } from './option-checks.ts';
import { quote } from './quote.ts';

/** The largest number of 32 bits, in which the addon holds token ids. */
const LARGEST = 2 ** 31 - 1;
/** The longest list of token ids: far more than any model reads. */
const MOST_IDS = 2 ** 24;

/** @throws {MillraceError} `INVALID_ARGUMENT` that names the option, what it is and what it may be. */
export function toNativeGenerator(options: GeneratorOptions): NativeGeneratorOptions {
  const { decoder, decoderWithPast, encoder } = options;
  if (typeof decoder !== 'string') {
    throw invalid(`decoder is ${decoder}: expected the path of the decoder's file`);
  }
  return {
    key: '',
    copyFolder: options.cacheDir === undefined ? '' : resolve(options.cacheDir),
    ...nativeDevice(options),
    decoder: file('decoder', decoder),
    ...(decoderWithPast === undefined
      ? {}
      : { decoderWithPast: file('decoderWithPast', decoderWithPast) }),
    ...(encoder === undefined ? {} : { encoder: file('encoder', encoder) }),
    intraOpThreads: whole('intraOpThreads', options.intraOpThreads, 0, 1, 256),
    maxPositions: whole('maxPositions', options.maxPositions, 0, 1, LARGEST),
    maxEncoderPositions: whole('maxEncoderPositions', options.maxEncoderPositions, 0, 1, LARGEST),
    maxRows: whole('maxRows', options.maxRows, 32, 1, 4096),
    maxPrefillTokens: whole('maxPrefillTokens', options.maxPrefillTokens, 512, 1, LARGEST),
    cacheBytes: whole('cacheBytes', options.cacheBytes, 2 ** 30, 1, Number.MAX_SAFE_INTEGER),
    maxQueue: whole('maxQueue', options.maxQueue, 1024, 1, 1 << 16),
    runLimitMs: real('runLimitMs', options.runLimitMs, 0, 1, 86_400_000),
    weight: real('weight', options.weight, 1, 0.001, 1000),
  };
}

function file(name: string, path: unknown): NativeModelFile {
  if (typeof path === 'string') return { path: resolve(path), digest: '' };
  throw invalid(`${name} is ${path}: expected the path of a file`);
}

/**
 * The addon checks the ranges, of which some depend on the model.
 *
 * @throws {MillraceError} `INVALID_ARGUMENT` that names the option, what it must be and what it is.
 */
export function toNativeGenerate(options: GenerateOptions): NativeGenerateOptions {
  const { timeoutMs, priority = 0 } = options;
  if (timeoutMs !== undefined && !(typeof timeoutMs === 'number' && timeoutMs >= 0)) {
    throw must('timeoutMs', 'a number of milliseconds, 0 or more,', timeoutMs);
  }
  if (!(Number.isInteger(priority) && priority >= 0 && priority <= 255)) {
    throw must('priority', 'a whole number from 0 (most urgent) to 255', priority);
  }
  const { seed = -1 } = options;
  if (!Number.isSafeInteger(seed) || (seed < 0 && options.seed !== undefined)) {
    throw must('seed', `a whole number from 0 to ${Number.MAX_SAFE_INTEGER}`, seed);
  }
  const eosTokenIds = tokenIds(
    'eosTokenIds',
    typeof options.eosTokenIds === 'number' ? [options.eosTokenIds] : options.eosTokenIds,
  );
  return {
    maxNewTokens: integer('maxNewTokens', options.maxNewTokens, 128),
    minNewTokens: integer('minNewTokens', options.minNewTokens, 0),
    numBeams: integer('numBeams', options.numBeams, 1),
    lengthPenalty: number('lengthPenalty', options.lengthPenalty),
    earlyStopping: earlyStopping(options.earlyStopping),
    doSample: flag('doSample', options.doSample, false),
    temperature: number('temperature', options.temperature),
    topK: integer('topK', options.topK, 50),
    topP: number('topP', options.topP),
    seed,
    repetitionPenalty: number('repetitionPenalty', options.repetitionPenalty),
    noRepeatNgramSize: integer('noRepeatNgramSize', options.noRepeatNgramSize, 0),
    encoderNoRepeatNgramSize: integer(
      'encoderNoRepeatNgramSize',
      options.encoderNoRepeatNgramSize,
      0,
    ),
    eosTokenIds,
    padTokenId: tokenId('padTokenId', options.padTokenId, eosTokenIds[0] ?? 0),
    decoderStartTokenId: tokenId('decoderStartTokenId', options.decoderStartTokenId, -1),
    forcedBosTokenId: tokenId('forcedBosTokenId', options.forcedBosTokenId, -1),
    forcedEosTokenId: tokenId('forcedEosTokenId', options.forcedEosTokenId, -1),
    suppressTokens: tokenIds('suppressTokens', options.suppressTokens),
    beginSuppressTokens: tokenIds('beginSuppressTokens', options.beginSuppressTokens),
    badWordsIds: badWords(options.badWordsIds),
    stream: flag('stream', options.stream, true),
    priority,
    timeoutNs: timeoutMs === undefined ? -1 : timeoutMs * 1e6,
  };
}

/**
 * Copies token ids, which may also be bigints.
 *
 * @throws {MillraceError} `INVALID_ARGUMENT` if it is not a list, or has something else than a whole number.
 */
export function tokenIds(
  name: string,
  ids: ArrayLike<number | bigint> | undefined = [],
): Int32Array {
  if (ids instanceof Int32Array) return ids.slice();
  if (typeof ids !== 'object' || ids === null || !Number.isInteger(ids.length)) {
    throw must(name, 'a list of token ids', ids);
  }
  if (!(ids.length >= 0 && ids.length <= MOST_IDS)) {
    throw invalid(`'${name}' must have at most ${MOST_IDS} token ids but has ${ids.length}`);
  }
  const copy = new Int32Array(ids.length);
  for (let index = 0; index < copy.length; index++) {
    const given = ids[index];
    const id = typeof given === 'bigint' ? Number(given) : given;
    if (!isToken(id)) {
      throw invalid(
        `'${name}' must have token ids, whole numbers from 0 to ${LARGEST}, but has ${shown(given)} at ${index}`,
      );
    }
    copy[index] = id;
  }
  return copy;
}

const isToken = (id: unknown): id is number =>
  typeof id === 'number' && Number.isInteger(id) && id >= 0 && id <= LARGEST;

function badWords(lists: readonly (readonly number[])[] = []): readonly Int32Array[] {
  if (!Array.isArray(lists)) throw must('badWordsIds', 'a list of lists of token ids', lists);
  return lists.map((ids, index) => tokenIds(`badWordsIds[${index}]`, ids));
}

function tokenId(name: string, id: number | undefined, fallback: number): number {
  if (id === undefined) return fallback;
  if (isToken(id)) return id;
  throw must(name, `a token id, a whole number from 0 to ${LARGEST},`, id);
}

function integer(name: string, value: number | undefined, fallback: number): number {
  if (value === undefined) return fallback;
  if (Number.isInteger(value) && Math.abs(value) <= LARGEST) return value;
  throw must(name, 'a whole number', value);
}

function number(name: string, value: number | undefined): number {
  if (value === undefined) return 1;
  if (typeof value === 'number' && !Number.isNaN(value)) return Math.fround(value);
  throw must(name, 'a number', value);
}

function flag(name: string, value: boolean | undefined, fallback: boolean): boolean {
  if (value === undefined) return fallback;
  if (typeof value === 'boolean') return value;
  throw must(name, 'true or false', value);
}

function earlyStopping(value: boolean | 'never' = false): number {
  if (value === 'never') return EARLY_STOPPING.exact;
  if (typeof value === 'boolean') return value ? EARLY_STOPPING.first : EARLY_STOPPING.heuristic;
  throw must('earlyStopping', "true, false or 'never'", value);
}

const must = (name: string, what: string, value: unknown) =>
  invalid(`'${name}' must be ${what} but is ${shown(value)}`);

/** Returns a value as a message shows it. */
function shown(value: unknown): string {
  if (typeof value === 'string') return quote(value);
  if (Array.isArray(value)) return 'a list';
  return typeof value === 'object' && value !== null ? 'an object' : String(value);
}

const invalid = (message: string) => new MillraceError('INVALID_ARGUMENT', message);
