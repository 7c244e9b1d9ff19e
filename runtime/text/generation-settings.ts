/**
 * How a model generates text by default: `generation_config.json` or, without it, the same keys of `config.json`, with what
 * `task_specific_params` there says about summaries.
 *
 * @module
 */

import { z } from 'zod';
import { omitUndefined } from '../omit-undefined.ts';
import type { DescribedFolder } from './described-folder.ts';
import type { GenerationDefaults, GenerationOptions, GenerationSettings } from './text-model.ts';
import { positionShape, usablePositions } from './window.ts';

const FILE = 'generation_config.json';

const count = z.int().min(0).nullish();
const id = z.int().min(0);
const real = z.number().nullish();
const flag = z.boolean().nullish();
const above0 = z.number().positive().nullish();

/** Keys that have a meaning here, by transformers' names. */
const keys = z.object({
  max_length: count,
  max_new_tokens: count,
  min_length: count,
  min_new_tokens: count,
  num_beams: z.int().min(1).nullish(),
  length_penalty: real,
  early_stopping: z.union([z.boolean(), z.literal('never')]).nullish(),
  do_sample: flag,
  temperature: above0,
  top_k: count,
  top_p: z.number().positive().max(1).nullish(),
  repetition_penalty: above0,
  no_repeat_ngram_size: count,
  encoder_no_repeat_ngram_size: count,
  eos_token_id: z.union([id, z.array(id)]).nullish(),
  pad_token_id: z.int().nullish(),
  bos_token_id: z.int().nullish(),
  decoder_start_token_id: id.nullish(),
  forced_bos_token_id: id.nullish(),
  forced_eos_token_id: z.union([id, z.array(id).min(1)]).nullish(),
  suppress_tokens: z.array(id).nullish(),
  begin_suppress_tokens: z.array(id).nullish(),
  bad_words_ids: z.array(z.array(id).min(1)).nullish(),
});

type Keys = z.infer<typeof keys>;

const configSchema = keys.extend({
  ...positionShape,
  prefix: z.string().nullish(),
  task_specific_params: z
    .object({ summarization: keys.extend({ prefix: z.string().nullish() }).nullish() })
    .nullish(),
});

/** Special tokens, which `config.json` may tell where `generation_config.json` does not. */
const TOKENS = [
  'eos_token_id',
  'pad_token_id',
  'bos_token_id',
  'decoder_start_token_id',
  'forced_bos_token_id',
  'forced_eos_token_id',
] as const satisfies readonly (keyof Keys)[];

/** @throws {ServeError} `INVALID_CONFIG` that names the file and its first mistake. */
export async function readGeneration(
  folder: DescribedFolder,
  encoderDecoder: boolean,
): Promise<GenerationDefaults> {
  const config = (await folder.readOptional('config.json', configSchema)) ?? {};
  const own = await folder.readOptional(FILE, keys);
  const all: Keys = own === undefined ? config : withTokensOf(own, config);
  const { prefix, ...special } = config.task_specific_params?.summarization ?? {};
  return {
    encoderDecoder,
    positions: usablePositions(config, all.pad_token_id ?? 0, 'decoder'),
    text: settingsOf(all, config.prefix),
    summary: settingsOf({ ...all, ...withoutNull(special) }, prefix ?? config.prefix),
  };
}

function withTokensOf(own: Keys, config: Keys): Keys {
  const missing = TOKENS.filter((key) => own[key] === undefined);
  return { ...own, ...Object.fromEntries(missing.map((key) => [key, config[key]])) };
}

const withoutNull = (given: Keys): Keys =>
  Object.fromEntries(Object.entries(given).filter(([, value]) => value !== null));

function settingsOf(given: Keys, prefix: string | null | undefined): GenerationSettings {
  return {
    prefix: prefix ?? '',
    maxLength: given.max_length ?? undefined,
    minLength: given.min_length ?? undefined,
    options: optionsOf(given),
  };
}

function optionsOf(given: Keys): GenerationOptions {
  const { eos_token_id, pad_token_id, bos_token_id, forced_eos_token_id } = given;
  const start = given.decoder_start_token_id ?? bos_token_id;
  const isId = (token: number | null | undefined) => typeof token === 'number' && token >= 0;
  return omitUndefined({
    maxNewTokens: given.max_new_tokens ?? undefined,
    minNewTokens: given.min_new_tokens ?? undefined,
    numBeams: given.num_beams ?? undefined,
    lengthPenalty: given.length_penalty ?? undefined,
    earlyStopping: given.early_stopping ?? undefined,
    doSample: given.do_sample ?? undefined,
    temperature: given.temperature ?? undefined,
    topK: given.top_k ?? undefined,
    topP: given.top_p ?? undefined,
    repetitionPenalty: given.repetition_penalty ?? undefined,
    noRepeatNgramSize: given.no_repeat_ngram_size ?? undefined,
    encoderNoRepeatNgramSize: given.encoder_no_repeat_ngram_size ?? undefined,
    eosTokenIds:
      eos_token_id === undefined || eos_token_id === null ? undefined : [eos_token_id].flat(),
    padTokenId: isId(pad_token_id) ? pad_token_id! : undefined,
    decoderStartTokenId: isId(start) ? start! : undefined,
    forcedBosTokenId: given.forced_bos_token_id ?? undefined,
    // Where several tokens may end a text, the first of them is forced.
    forcedEosTokenId: [forced_eos_token_id].flat()[0] ?? undefined,
    suppressTokens: given.suppress_tokens ?? undefined,
    beginSuppressTokens: given.begin_suppress_tokens ?? undefined,
    badWordsIds: given.bad_words_ids ?? undefined,
  });
}
