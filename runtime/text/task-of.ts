/** @module Tells the task of a folder from Hugging Face by its `config.json`. */

import { isObject } from '../is-object.ts';
import type { TextTaskName } from './text-model.ts';

/** Files of a folder that tell what it is for, beside `config.json`. */
export interface FolderSigns {
  /** `modules.json`, which sentence-transformers writes. */
  readonly hasModules: boolean;
  /** `preprocessor_config.json` or `processor_config.json`: the model takes pictures or sound. */
  readonly hasPreprocessor: boolean;
}

/** Keys of models that take something else than text, or text and something else. */
const OTHER_KEYS = ['vision_config', 'audio_config', 'image_size', 'num_mel_bins'];

/**
 * The task, or undefined if the folder is not known to be for text: then only `/v2` serves it, unless `model.json` says what
 * it does.
 *
 * @param json The content of `config.json`, which may be any JSON.
 */
export function taskOfConfig(json: unknown, signs: FolderSigns): TextTaskName | undefined {
  const config = isObject(json) ? json : {};
  if (signs.hasPreprocessor || OTHER_KEYS.some((key) => key in config)) return undefined;
  const [first] = Array.isArray(config.architectures) ? config.architectures : [];
  const architecture = typeof first === 'string' ? first : '';
  if (architecture.endsWith('ForSequenceClassification')) return taskOfClassifier(config);
  if (architecture.endsWith('ForTokenClassification')) return 'token-classification';
  if (signs.hasModules) return 'feature-extraction';
  if (/(?:ForConditionalGeneration|ForSeq2SeqLM|MTModel)$/.test(architecture)) {
    return 'text2text-generation';
  }
  if (/(?:ForCausalLM|LMHeadModel)$/.test(architecture)) return 'text-generation';
  // Models of pictures have no vocabulary. Those with an encoder and a decoder have no vectors of a text.
  const isEncoder = architecture.endsWith('EncoderModel') || config.is_encoder_decoder !== true;
  const isText = architecture.endsWith('Model') && 'vocab_size' in config && isEncoder;
  return isText ? 'feature-extraction' : undefined;
}

function taskOfClassifier(config: Readonly<Record<string, unknown>>): TextTaskName {
  const { sentence_transformers, id2label } = config;
  if (isObject(sentence_transformers)) return 'rerank';
  const labels = isObject(id2label) ? Object.values(id2label) : [];
  const entails = labels.some((label) => String(label).toLowerCase().startsWith('entail'));
  return entails ? 'zero-shot-classification' : 'text-classification';
}
