/** @module The task of a folder with a model of images, by its config.json. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { imageTaskOfConfig } from '../../../runtime/image/index.ts';
import { taskOfConfig } from '../../../runtime/text/index.ts';

const config = (architecture: string, more: object = {}) => ({
  architectures: [architecture],
  ...more,
});

describe('the architecture tells the task', () => {
  for (const [architecture, task] of [
    ['ViTForImageClassification', 'image-classification'],
    ['ConvNextV2ForImageClassification', 'image-classification'],
    ['DeiTForImageClassificationWithTeacher', 'image-classification'],
    ['SiglipForImageClassification', 'image-classification'],
    ['TimmWrapperForImageClassification', 'image-classification'],
    ['DetrForObjectDetection', 'object-detection'],
    ['RTDetrV2ForObjectDetection', 'object-detection'],
    ['YolosForObjectDetection', 'object-detection'],
    ['TableTransformerForObjectDetection', 'object-detection'],
    ['SegformerForSemanticSegmentation', 'image-segmentation'],
    ['Mask2FormerForUniversalSegmentation', 'image-segmentation'],
    ['MaskFormerForInstanceSegmentation', 'image-segmentation'],
    ['OneFormerForUniversalSegmentation', 'image-segmentation'],
    ['DetrForSegmentation', 'image-segmentation'],
    ['MobileViTForSemanticSegmentation', 'image-segmentation'],
    ['ViTModel', 'image-feature-extraction'],
    ['Dinov2Model', 'image-feature-extraction'],
    ['Dinov2WithRegistersModel', 'image-feature-extraction'],
    ['DINOv3ViTModel', 'image-feature-extraction'],
    ['CLIPVisionModel', 'image-feature-extraction'],
    ['CLIPVisionModelWithProjection', 'image-feature-extraction'],
    ['SiglipVisionModel', 'image-feature-extraction'],
    ['ConvNextModel', 'image-feature-extraction'],
    ['ResNetModel', 'image-feature-extraction'],
    ['SwinModel', 'image-feature-extraction'],
    ['BeitModel', 'image-feature-extraction'],
    ['EfficientNetModel', 'image-feature-extraction'],
    ['Data2VecVisionModel', 'image-feature-extraction'],
  ] as const) {
    test(architecture, () => {
      assert.equal(imageTaskOfConfig(config(architecture, { hidden_size: 8 }), true), task);
      // No folder is for texts and for images.
      const signs = { hasModules: false, hasPreprocessor: true };
      assert.equal(taskOfConfig(config(architecture), signs), undefined);
    });
  }

  test('timm describes in config.json how images are prepared', () => {
    const timm = config('TimmWrapperModel', { pretrained_cfg: {} });
    assert.equal(imageTaskOfConfig(timm, false), 'image-feature-extraction');
  });

  test('an unknown encoder with the size of its images', () => {
    const unknown = config('SomeNewModel', { image_size: 224 });
    assert.equal(imageTaskOfConfig(unknown, true), 'image-feature-extraction');
    assert.equal(imageTaskOfConfig(unknown, false), undefined);
  });
});

describe('other models are not for images', () => {
  for (const [name, json] of [
    ['a text encoder', config('BertModel', { vocab_size: 30 })],
    ['a text classifier', config('BertForSequenceClassification')],
    ['a model of texts and images', config('CLIPModel', { text_config: {}, image_size: 224 })],
    ['a describer of images', config('VisionEncoderDecoderModel', { vocab_size: 3 })],
    ['a model of sound', config('Wav2Vec2Model', { hidden_size: 8 })],
    ['a classifier of sound', config('ASTForAudioClassification', { patch_size: 16 })],
    ['a model of videos', config('VideoMAEModel', { num_frames: 16, image_size: 224 })],
    ['a model of depth', config('DPTForDepthEstimation', { image_size: 384 })],
    ['no architecture', { model_type: 'vit', image_size: 224 }],
    ['architectures that are no list', { architectures: 'ViTModel' }],
    ['an architecture that is no text', { architectures: [7] }],
    ['no object', 'ViTModel'],
    ['null', null],
  ] as const) {
    test(name, () => {
      assert.equal(imageTaskOfConfig(json, true), undefined);
    });
  }

  test('an encoder without a preprocessor is left to the text tasks', () => {
    assert.equal(imageTaskOfConfig(config('ViTModel', { image_size: 224 }), false), undefined);
  });
});
