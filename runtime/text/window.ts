/** @module How many tokens a text may have: the least of what the files of its model say. */

import { z } from 'zod';

/** The keys of `config.json` that limit positions. */
export const positionShape = {
  model_type: z.string().nullish(),
  max_position_embeddings: z.number().nullish(),
  n_positions: z.number().nullish(),
  max_encoder_position_embeddings: z.number().nullish(),
  max_decoder_position_embeddings: z.number().nullish(),
};

type Positions = z.infer<z.ZodObject<typeof positionShape>>;

/** Models whose first position comes after that of the padding, so that they have fewer positions than they say. */
const OFFSET_TYPES: readonly string[] = [
  'camembert',
  'data2vec-text',
  'ibert',
  'layoutlmv3',
  'lilt',
  'longformer',
  'mpnet',
  'roberta',
  'roberta-prelayernorm',
  'xlm-roberta',
  'xlm-roberta-xl',
  'xmod',
];

/** Models that know distances between tokens only, and so have no last position. */
const RELATIVE_TYPES: readonly string[] = [
  'longt5',
  'mt5',
  'switch_transformers',
  't5',
  'umt5',
  'xlnet',
];

/** Greater limits mean that there is none: a tokenizer writes 10^30 if it does not know any. */
const UNLIMITED = 1e9;

/**
 * The positions that tokens of a text can have; undefined if there is no limit.
 *
 * @param padId The id of padding, after whose position those of tokens begin in some models.
 */
export function usablePositions(config: Positions, padId: number, part: 'encoder' | 'decoder') {
  const { model_type, max_position_embeddings, n_positions } = config;
  if (RELATIVE_TYPES.includes(model_type ?? '')) return undefined;
  const own =
    part === 'encoder'
      ? config.max_encoder_position_embeddings
      : config.max_decoder_position_embeddings;
  const all = own ?? max_position_embeddings ?? n_positions;
  if (typeof all !== 'number') return undefined;
  return leastOf([OFFSET_TYPES.includes(model_type ?? '') ? all - padId - 1 : all]);
}

/** The least of the limits that limit something; undefined if none does. */
export function leastOf(limits: readonly (number | null | undefined)[]): number | undefined {
  const real = limits.filter(
    (limit) => typeof limit === 'number' && limit >= 1 && limit < UNLIMITED,
  );
  return real.length === 0 ? undefined : Math.floor(Math.min(...(real as number[])));
}
