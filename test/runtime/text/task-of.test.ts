/** @module The task of a folder from Hugging Face, by its config.json. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { taskOfConfig } from '../../../runtime/text/index.ts';

const NO_SIGNS = { hasModules: false, hasPreprocessor: false };
const taskOf = (config: unknown, signs: Partial<typeof NO_SIGNS> = {}) =>
  taskOfConfig(config, { ...NO_SIGNS, ...signs });

describe('the architecture tells the task', () => {
  for (const [architecture, task] of [
    ['BertForSequenceClassification', 'text-classification'],
    ['DistilBertForSequenceClassification', 'text-classification'],
    ['RobertaForSequenceClassification', 'text-classification'],
    ['DebertaV2ForSequenceClassification', 'text-classification'],
    ['MPNetForSequenceClassification', 'text-classification'],
    ['XLMRobertaForSequenceClassification', 'text-classification'],
    ['BertForTokenClassification', 'token-classification'],
    ['DebertaV2ForTokenClassification', 'token-classification'],
    ['XLMRobertaForTokenClassification', 'token-classification'],
    ['BertModel', 'feature-extraction'],
    ['MPNetModel', 'feature-extraction'],
    ['XLMRobertaModel', 'feature-extraction'],
    ['DebertaV2Model', 'feature-extraction'],
    ['T5EncoderModel', 'feature-extraction'],
    ['T5ForConditionalGeneration', 'text2text-generation'],
    ['MT5ForConditionalGeneration', 'text2text-generation'],
    ['BartForConditionalGeneration', 'text2text-generation'],
    ['MarianMTModel', 'text2text-generation'],
    ['GPT2LMHeadModel', 'text-generation'],
    ['LlamaForCausalLM', 'text-generation'],
    ['Qwen3ForCausalLM', 'text-generation'],
    ['BertForMaskedLM', undefined],
    ['BertForQuestionAnswering', undefined],
    ['ViTForImageClassification', undefined],
    ['DetrForObjectDetection', undefined],
  ] as const) {
    test(`${architecture}: ${task ?? 'none'}`, () => {
      assert.equal(taskOf({ architectures: [architecture], vocab_size: 9 }), task);
    });
  }
});

describe('of the sequence classifiers', () => {
  const classifier = { architectures: ['BertForSequenceClassification'] };
  for (const [what, config, task] of [
    ['one with a key sentence_transformers reranks', { sentence_transformers: {} }, 'rerank'],
    [
      'one with a label entailment is for zero-shot',
      { id2label: { 0: 'neutral', 1: 'ENTAILMENT' } },
      'zero-shot-classification',
    ],
    [
      'one with both reranks',
      { sentence_transformers: {}, id2label: { 0: 'entailment' } },
      'rerank',
    ],
    [
      'one whose labels only contain the word classifies',
      { id2label: { 0: 'not_entailment', 1: 'other' } },
      'text-classification',
    ],
    ['one without labels classifies', {}, 'text-classification'],
    ['one with labels of another kind classifies', { id2label: 7 }, 'text-classification'],
  ] as const) {
    test(what, () => assert.equal(taskOf({ ...classifier, ...config }), task));
  }
});

describe('other signs', () => {
  test('modules.json makes any encoder an embedding model, but no classifier', () => {
    for (const architectures of [['BertForMaskedLM'], ['Qwen3ForCausalLM'], [], undefined]) {
      assert.equal(taskOf({ architectures }, { hasModules: true }), 'feature-extraction');
    }
    const classifier = { architectures: ['BertForSequenceClassification'] };
    assert.equal(taskOf(classifier, { hasModules: true }), 'text-classification');
  });

  test('a model of pictures or sound is not for text', () => {
    const generates = { architectures: ['WhisperForConditionalGeneration'], vocab_size: 9 };
    assert.equal(taskOf(generates, { hasPreprocessor: true }), undefined);
    for (const key of ['vision_config', 'audio_config', 'image_size', 'num_mel_bins']) {
      assert.equal(taskOf({ ...generates, [key]: {} }), undefined, key);
    }
    assert.equal(taskOf({ architectures: ['ViTModel'] }), undefined, 'no vocabulary');
  });

  test('an encoder and decoder without a head has no task', () => {
    const config = { architectures: ['T5Model'], vocab_size: 9, is_encoder_decoder: true };
    assert.equal(taskOf(config), undefined);
  });

  test('config.json may hold any JSON', () => {
    for (const config of [null, [], 7, 'x', {}, { architectures: 'x' }, { architectures: [7] }]) {
      assert.equal(taskOf(config), undefined);
    }
  });
});
