/** @module Tells the task of a folder with a model of images by its `config.json`. */

import { isObject } from '../is-object.ts';
import type { ImageTaskName } from './image-model.ts';

/** Architectures whose outputs are masks and classes of queries, or logits of pixels. */
const SEGMENTATION =
  /For(?:Semantic|Universal|Instance|Panoptic|Image)?Segmentation$|^(?:MaskFormer|Mask2Former|OneFormer)For/;

/** Keys of models that take something else than images, or images and something else. */
const OTHER_KEYS = ['vocab_size', 'text_config', 'audio_config', 'num_mel_bins', 'num_frames'];

/**
 * The task, or undefined if the folder is not known to be for images: then only `/v2` serves it, unless `model.json` says what
 * it does.
 *
 * @param json The content of `config.json`, which may be any JSON.
 * @param hasPreprocessor Whether a file beside it describes how images are prepared.
 */
export function imageTaskOfConfig(
  json: unknown,
  hasPreprocessor: boolean,
): ImageTaskName | undefined {
  const config = isObject(json) ? json : {};
  const [first] = Array.isArray(config.architectures) ? config.architectures : [];
  const architecture = typeof first === 'string' ? first : '';
  if (/ForImageClassification(?:WithTeacher)?$/.test(architecture)) return 'image-classification';
  if (architecture.endsWith('ForObjectDetection')) return 'object-detection';
  if (SEGMENTATION.test(architecture)) return 'image-segmentation';
  // timm describes in config.json how images are prepared.
  const isDescribed = hasPreprocessor || 'pretrained_cfg' in config;
  if (!isDescribed || OTHER_KEYS.some((key) => key in config)) return undefined;
  // Those of speech have a preprocessor, too, and none of these keys.
  const isVision =
    /Vision|^(?:ViT|Vit|Dino|DINO|Swin|BeitM|ConvNext|ResNet|RegNet|MobileNet|MobileVi|Bit|LevitM|PvtV?2?M|PoolFormer|EfficientNetM|EfficientFormerM|DeiT|Hiera|Cvt|FocalNet|Dinat|IJepa|SwiftFormer|TimmWrapper)/.test(
      architecture,
    ) || ['image_size', 'pretrained_cfg', 'patch_size'].some((key) => key in config);
  const isEncoder = /(?:Model|ModelWithProjection|Backbone)$/.test(architecture);
  return isEncoder && isVision ? 'image-feature-extraction' : undefined;
}
