/** @module The input `parameters` of a version that generates text: the options of one generation as JSON. */

import { z } from 'zod';
import type { GenerateOptions } from '../../native/index.ts';
import { checkSchema, listOf } from '../check-schema.ts';
import { invalidArgument } from '../errors.ts';
import { omitUndefined } from '../omit-undefined.ts';
import type { GenerationSettings } from '../text/index.ts';
import { MAX_BEAMS, MAX_NEW_TOKENS, MAX_STOP_CHARACTERS, MAX_STOPS } from './limits.ts';

const count = z.int().min(0).nullable();
const id = z.int().min(0);

/** The most token ids of a list. */
const MAX_IDS = 10_000;
/** The most sequences of tokens that are forbidden, and the most tokens of each. */
const MAX_BAD_WORDS = 1000;
const MAX_BAD_WORD_IDS = 100;

const idList = listOf(id, MAX_IDS);
const ids = idList.nullable();

/**
 * The engine checks the values, and this their types, and what would make a request larger than any should be. `null` takes a
 * default of the model back.
 */
const schema = z
  .strictObject({
    maxNewTokens: z.int().min(0).max(MAX_NEW_TOKENS).nullable(),
    minNewTokens: count,
    numBeams: z.int().min(1).max(MAX_BEAMS).nullable(),
    lengthPenalty: z.number().nullable(),
    earlyStopping: z.union([z.boolean(), z.literal('never')]).nullable(),
    doSample: z.boolean().nullable(),
    temperature: z.number().nullable(),
    topK: count,
    topP: z.number().nullable(),
    seed: count,
    repetitionPenalty: z.number().nullable(),
    noRepeatNgramSize: count,
    encoderNoRepeatNgramSize: count,
    eosTokenIds: z.union([id, idList]).nullable(),
    padTokenId: count,
    decoderStartTokenId: count,
    forcedBosTokenId: count,
    forcedEosTokenId: count,
    suppressTokens: ids,
    beginSuppressTokens: ids,
    badWordsIds: listOf(listOf(id, MAX_BAD_WORD_IDS, 1), MAX_BAD_WORDS).nullable(),
    // Texts at which the caller ends the generation. They are part of the parameters because they change the result.
    stop: listOf(z.string().max(MAX_STOP_CHARACTERS), MAX_STOPS).nullable(),
  })
  .partial();

/** New tokens of a request if neither it nor the model sets a limit. */
const USUAL_NEW_TOKENS = 128;

/** Longest text of parameters, characters: lists of tokens may be long. */
const MAX_CHARACTERS = 1024 * 1024;

/** What a generation may have at most, and where it begins. */
export interface GenerationPlace {
  /** Tokens before the first new one: those of a prompt, or the start token of a decoder. */
  readonly before: number;
  /** Positions of the decoder; undefined if there is no limit. */
  readonly positions: number | undefined;
}

/**
 * The options of a generation: those of the text, and for the others the defaults of the model.
 *
 * @param text '' means the defaults.
 * @throws {ServeError} `INVALID_ARGUMENT` for a text that is not JSON, or has an unknown key or a wrong value.
 */
export function generateOptions(
  text: string,
  settings: GenerationSettings,
  place: GenerationPlace,
): GenerateOptions {
  const { stop: _, ...given } = parse(text);
  const set = Object.entries({ ...settings.options, ...given }).filter(
    ([, value]) => value !== null,
  );
  const chosen: GenerateOptions = omitUndefined(Object.fromEntries(set));
  const maxNewTokens = given.maxNewTokens ?? defaultLength(settings, place);
  const least =
    settings.options.minNewTokens ?? Math.max((settings.minLength ?? 0) - place.before, 0);
  // A default must not contradict what the request asks for.
  const minNewTokens = given.minNewTokens ?? Math.min(least, maxNewTokens);
  return { ...chosen, maxNewTokens, minNewTokens };
}

/** Most new tokens of a request that sets no limit: as many as there is room for, if the model allows more. */
function defaultLength(
  { maxLength, options }: GenerationSettings,
  { before, positions = Infinity }: GenerationPlace,
): number {
  const usual = maxLength === undefined ? USUAL_NEW_TOKENS : maxLength - before;
  return Math.max(Math.min(options.maxNewTokens ?? usual, positions - before, MAX_NEW_TOKENS), 1);
}

function parse(text: string): z.infer<typeof schema> {
  if (text === '') return {};
  if (text.length > MAX_CHARACTERS) {
    throw invalidArgument(
      `The input 'parameters' has ${text.length} characters; at most ${MAX_CHARACTERS} are allowed.`,
    );
  }
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    throw invalidArgument(
      'The input \'parameters\' is not JSON; write an object such as {"maxNewTokens":32}.',
    );
  }
  const checked = checkSchema(schema, json);
  if ('data' in checked) return checked.data;
  throw invalidArgument(`The input 'parameters' is wrong: ${checked.fault}.`);
}
