/** @module How a request generates text: its own options, and for the others the defaults of the model. */

import { invalidArgument } from '../../errors.ts';
import { MAX_NEW_TOKENS } from '../../generation/limits.ts';
import type {
  GenerationDefaults,
  GenerationOptions,
  GenerationSettings,
} from '../../text/text-model.ts';

/** Tokens that are generated if neither the request nor the model sets a limit. */
const DEFAULT_NEW_TOKENS = 128;
const MAX_SEED = 2 ** 32;

/** The options of a request; an absent one has the default of the model. The names are those of transformers. */
export interface RequestedGeneration {
  /** Counts the start token of the decoder; without an encoder, the tokens of the prompt. */
  readonly max_length?: number | undefined;
  readonly max_new_tokens?: number | undefined;
  /** Counts as `max_length`. */
  readonly min_length?: number | undefined;
  readonly min_new_tokens?: number | undefined;
  readonly num_beams?: number | undefined;
  readonly no_repeat_ngram_size?: number | undefined;
  readonly length_penalty?: number | undefined;
  readonly repetition_penalty?: number | undefined;
  /** 0 means the most likely token, and more than 0 that tokens are drawn at random. */
  readonly temperature?: number | undefined;
  readonly top_p?: number | undefined;
  readonly top_k?: number | undefined;
  readonly seed?: number | undefined;
  /** Texts that end the generation, and are not part of it. */
  readonly stop?: readonly string[] | undefined;
  /** What the client calls the limits, if it knows them by other names. */
  readonly called?: Readonly<Record<'max_new_tokens' | 'min_new_tokens', string>> | undefined;
}

/** Options of the engine, and the stop strings, with which the run of a request differs from others. */
export interface RunGeneration extends GenerationOptions {
  readonly seed?: number;
  readonly stop?: readonly string[];
}

/**
 * @param settings The model's defaults for what the text is.
 * @param length Tokens of the prompt. An encoder's input does not count.
 * @param streamed Whether the text is sent while it is generated, so that there can be only one beam.
 * @throws {ServeError} `INVALID_ARGUMENT` for options that contradict each other, or that the model cannot satisfy
 */
export function generationOptions(
  defaults: GenerationDefaults,
  settings: GenerationSettings,
  wanted: RequestedGeneration,
  length: number,
  streamed: boolean,
): RunGeneration {
  const before = defaults.encoderDecoder ? 1 : length;
  const maxNewTokens = maxNewTokensOf(defaults, settings, wanted, before);
  const options: RunGeneration = {
    ...settings.options,
    ...searchOf(settings.options, wanted, streamed),
    maxNewTokens,
    minNewTokens: minNewTokensOf(settings, wanted, before, maxNewTokens),
    ...(wanted.no_repeat_ngram_size !== undefined && {
      noRepeatNgramSize: wanted.no_repeat_ngram_size,
    }),
    ...(wanted.length_penalty !== undefined && { lengthPenalty: wanted.length_penalty }),
    ...(wanted.repetition_penalty !== undefined && {
      repetitionPenalty: wanted.repetition_penalty,
    }),
    ...(wanted.stop !== undefined && wanted.stop.length > 0 && { stop: wanted.stop }),
  };
  return options;
}

function maxNewTokensOf(
  { positions }: GenerationDefaults,
  settings: GenerationSettings,
  { max_length, max_new_tokens, called }: RequestedGeneration,
  before: number,
): number {
  if (max_length !== undefined && max_new_tokens !== undefined) {
    throw invalidArgument('max_length and max_new_tokens exclude each other; write one of them.');
  }
  if (max_length !== undefined && max_length <= before) {
    throw invalidArgument(
      `max_length is ${max_length}, but the sequence has ${before} tokens before the first new one; write more, or max_new_tokens.`,
    );
  }
  const room =
    positions === undefined ? MAX_NEW_TOKENS : Math.min(positions - before, MAX_NEW_TOKENS);
  if (room < 1) {
    throw invalidArgument(
      `The text has ${before} tokens, and the model's sequences end after ${positions}; send a shorter text.`,
    );
  }
  const asked = max_new_tokens ?? (max_length === undefined ? undefined : max_length - before);
  if (asked !== undefined) {
    if (asked <= room) return asked;
    const [name, value, most] =
      max_length === undefined
        ? [called?.max_new_tokens ?? 'max_new_tokens', max_new_tokens, room]
        : ['max_length', max_length, room + before];
    throw invalidArgument(
      `${name} is ${value}, but the model can make at most ${room} new tokens here; write at most ${most}.`,
    );
  }
  const { maxLength, options } = settings;
  const usual = options.maxNewTokens ?? (maxLength === undefined ? undefined : maxLength - before);
  return Math.min(usual === undefined || usual < 1 ? DEFAULT_NEW_TOKENS : usual, room);
}

function minNewTokensOf(
  { minLength, options }: GenerationSettings,
  { min_length, min_new_tokens, called }: RequestedGeneration,
  before: number,
  maxNewTokens: number,
): number {
  const asked = min_new_tokens ?? (min_length === undefined ? undefined : min_length - before);
  if (asked !== undefined && asked > maxNewTokens) {
    const name =
      min_new_tokens === undefined ? 'min_length' : (called?.min_new_tokens ?? 'min_new_tokens');
    throw invalidArgument(
      `${name} asks for at least ${asked} new tokens, but there are at most ${maxNewTokens}; write a smaller minimum, or a larger maximum.`,
    );
  }
  const usual = options.minNewTokens ?? (minLength === undefined ? 0 : minLength - before);
  const least = asked ?? usual;
  return Math.min(Math.max(least, 0), maxNewTokens);
}

/** Greedy, by beams or at random. */
function searchOf(
  options: GenerationOptions,
  { num_beams, temperature, top_p, top_k, seed }: RequestedGeneration,
  streamed: boolean,
): Partial<RunGeneration> {
  const asksToDraw = [top_p, top_k, seed].some((option) => option !== undefined);
  const isCold = temperature === 0;
  const draws = !isCold && (temperature !== undefined || asksToDraw || options.doSample === true);
  if (draws && num_beams !== undefined && num_beams > 1) {
    throw invalidArgument(
      'Tokens cannot be drawn at random with num_beams above 1; leave out temperature, top_p, top_k and seed, or write "num_beams": 1.',
    );
  }
  if (isCold && asksToDraw) {
    throw invalidArgument(
      'top_p, top_k and seed have no effect with "temperature": 0; leave them out, or write a temperature above 0.',
    );
  }
  if (streamed && num_beams !== undefined && num_beams > 1) {
    throw invalidArgument(
      'A stream cannot have num_beams above 1, because beams are known at their end; write "num_beams": 1, or do not stream.',
    );
  }
  if (!draws) {
    const numBeams = streamed ? 1 : (num_beams ?? options.numBeams ?? 1);
    return { doSample: false, numBeams };
  }
  return {
    ...{ doSample: true, numBeams: 1 },
    ...(temperature !== undefined && { temperature }),
    ...(top_p !== undefined && { topP: top_p }),
    ...(top_k !== undefined && { topK: top_k }),
    // A seed of its own for each request, which its cached result is then known by.
    seed: seed ?? Math.floor(Math.random() * MAX_SEED),
  };
}
