/** @module Reads how images are prepared for models of timm, whose `config.json` has it in `pretrained_cfg`. */

import { z } from 'zod';
import type { ReadPreprocessing } from './preprocessing.ts';

const FILTERS = ['nearest', 'bilinear', 'bicubic', 'lanczos', 'box', 'hamming'] as const;

const side = z.int().min(1).max(16_384);

const three = z.array(z.number().min(-1e6).max(1e6)).min(1).max(3);

export const timmSchema = z.object({
  input_size: z.tuple([side, side, side]).nullish(),
  interpolation: z.string().nullish(),
  mean: three.nullish(),
  std: z.array(z.number().min(1e-6).max(1e6)).min(1).max(3).nullish(),
  crop_pct: z.number().min(0.01).max(1).nullish(),
  crop_mode: z.string().nullish(),
});

/** As `create_transform` of timm prepares images for inference. */
export function timmPreprocessing(config: z.infer<typeof timmSchema>): ReadPreprocessing {
  const [, height, width] = config.input_size ?? [3, 224, 224];
  const filter = FILTERS.find((each) => each === (config.interpolation ?? 'bicubic'));
  const mode = config.crop_mode ?? 'center';
  const isSquare = height === width;
  if (filter === undefined || (mode !== 'center' && mode !== 'squash') || !isSquare) {
    const [key, value] =
      filter === undefined
        ? ['interpolation', config.interpolation]
        : isSquare
          ? ['crop_mode', mode]
          : ['input_size', config.input_size?.join(' × ')];
    const obstacle = `pretrained_cfg.${key} of config.json is '${value}', which is not supported: describe how images are prepared in preprocessor_config.json`;
    return { preprocessing: undefined, obstacle, notes: [] };
  }
  const length = Math.floor(height / (config.crop_pct ?? 0.875));
  return {
    preprocessing: {
      resize:
        mode === 'squash'
          ? { kind: 'exact', width: length, height: length }
          : { kind: 'shortest', length, longest: undefined },
      filter,
      crop: { width, height, roundsHalf: true },
      pad: undefined,
      scale: 1 / 255,
      mean: config.mean ?? [0.485, 0.456, 0.406],
      std: config.std ?? [0.229, 0.224, 0.225],
      reverse: false,
    },
    obstacle: undefined,
    notes: [],
  };
}
