/**
 * What the image processors of transformers do if a file leaves a key out. The values are those of the classes in transformers
 * 5.24, which `test/fixtures/vision/make/preprocessing.py` compares.
 *
 * @module
 */

/** A size as the files write it. */
export interface SizeKeys {
  readonly height?: number | null | undefined;
  readonly width?: number | null | undefined;
  readonly shortest_edge?: number | null | undefined;
  readonly longest_edge?: number | null | undefined;
  readonly max_height?: number | null | undefined;
  readonly max_width?: number | null | undefined;
}

/** How the class understands its size. */
export type SizeMeaning =
  | 'usual'
  /** Below 384 the shortest edge is size / crop_pct, and the middle is cut out; otherwise the image is stretched to a square. */
  | 'convnext'
  /** The shortest edge is 256 / 224 of the size. */
  | 'levit'
  /** The size is divided by crop_pct. */
  | 'poolformer'
  /** A size that keeps the proportions needs both edges. */
  | 'detr'
  /** As `detr`, and sides are rounded down to multiples of 16. */
  | 'yolos'
  /** As `detr`, and sides are rounded up to multiples of size_divisor. */
  | 'maskformer'
  /** The shortest edge alone, and sides are rounded up to multiples of size_divisor. */
  | 'textnet'
  /** Sides are multiples of ensure_multiple_of, with the image's proportions if keep_aspect_ratio. */
  | 'dpt';

/** A class of image processors. */
export interface ProcessorClass {
  readonly resample: number;
  readonly mean: readonly number[];
  readonly std: readonly number[];
  readonly size: SizeKeys;
  /** Whether a size that is one number means a square, and not the shortest edge. */
  readonly square: boolean;
  readonly meaning: SizeMeaning;
  /** The size of the crop; undefined if the class cuts nothing out whatever the file says. */
  readonly crop: SizeKeys | undefined;
  readonly doCenterCrop: boolean;
  readonly cropPct: number;
  /** `never`: whatever the file says. */
  readonly doNormalize: boolean | 'never';
  readonly doPad: boolean | 'always';
  readonly sizeDivisor: number;
  readonly doFlip: boolean;
  /** Whether the class has `rescale_offset` and `include_top`. */
  readonly dividesTwice: boolean;
}

const IMAGENET = { mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225] };
const HALF = { mean: [0.5, 0.5, 0.5], std: [0.5, 0.5, 0.5] };
const CLIP_COLORS = {
  mean: [0.48145466, 0.4578275, 0.40821073],
  std: [0.26862954, 0.26130258, 0.27577711],
};
const BILINEAR = 2;
const BICUBIC = 3;

const squareOf = (length: number): SizeKeys => ({ height: length, width: length });

/** A class that stretches images to a square. */
const BASE: ProcessorClass = {
  ...HALF,
  resample: BILINEAR,
  size: squareOf(224),
  square: true,
  meaning: 'usual',
  crop: squareOf(224),
  doCenterCrop: false,
  cropPct: 224 / 256,
  doNormalize: true,
  doPad: false,
  sizeDivisor: 32,
  doFlip: false,
  dividesTwice: false,
};

const CLIP: ProcessorClass = {
  ...BASE,
  ...CLIP_COLORS,
  resample: BICUBIC,
  size: { shortest_edge: 224 },
  square: false,
  doCenterCrop: true,
};

const MOBILE: ProcessorClass = {
  ...BASE,
  size: { shortest_edge: 256 },
  square: false,
  doCenterCrop: true,
};

const DETR: ProcessorClass = {
  ...BASE,
  ...IMAGENET,
  size: { shortest_edge: 800, longest_edge: 1333 },
  square: false,
  meaning: 'detr',
  crop: undefined,
  doPad: true,
};

const MASKFORMER: ProcessorClass = { ...DETR, meaning: 'maskformer', doPad: 'always' };

/** By the name of the class without `ImageProcessor` or `FeatureExtractor`. */
const CLASSES: Readonly<Record<string, ProcessorClass>> = {
  ViT: BASE,
  DeiT: { ...BASE, resample: BICUBIC, size: squareOf(256), doCenterCrop: true },
  Beit: { ...BASE, resample: BICUBIC },
  ConvNext: {
    ...BASE,
    resample: BICUBIC,
    size: { shortest_edge: 384 },
    square: false,
    meaning: 'convnext',
  },
  CLIP,
  ChineseCLIP: CLIP,
  Bit: CLIP,
  Siglip: { ...BASE, resample: BICUBIC, square: false },
  DINOv3ViT: { ...BASE, ...IMAGENET },
  Blip: { ...BASE, ...CLIP_COLORS, resample: BICUBIC, size: squareOf(384) },
  MobileNetV1: MOBILE,
  MobileNetV2: MOBILE,
  MobileViT: {
    ...BASE,
    resample: BICUBIC,
    size: { shortest_edge: 224 },
    square: false,
    crop: squareOf(256),
    doCenterCrop: true,
    doNormalize: 'never',
    doFlip: true,
  },
  EfficientNet: {
    ...BASE,
    resample: BICUBIC,
    size: squareOf(346),
    crop: squareOf(289),
    dividesTwice: true,
  },
  EfficientFormer: {
    ...BASE,
    ...IMAGENET,
    resample: BICUBIC,
    doCenterCrop: true,
  },
  Levit: { ...CLIP, ...IMAGENET, meaning: 'levit' },
  Pvt: { ...BASE, ...IMAGENET, resample: BICUBIC },
  PoolFormer: { ...CLIP, ...IMAGENET, meaning: 'poolformer', cropPct: 0.9 },
  TextNet: {
    ...BASE,
    ...IMAGENET,
    size: { shortest_edge: 640 },
    square: false,
    meaning: 'textnet',
  },
  Segformer: { ...BASE, ...IMAGENET, size: squareOf(512), crop: undefined },
  Detr: DETR,
  ConditionalDetr: DETR,
  DeformableDetr: DETR,
  Deta: DETR,
  GroundingDino: DETR,
  Yolos: { ...DETR, meaning: 'yolos' },
  RTDetr: { ...DETR, size: squareOf(640), doNormalize: false, doPad: false },
  MaskFormer: MASKFORMER,
  Mask2Former: MASKFORMER,
  OneFormer: { ...MASKFORMER, meaning: 'detr' },
  DPT: { ...BASE, resample: BICUBIC, size: squareOf(384), meaning: 'dpt', crop: undefined },
};

/** The classes of models whose files do not name one, by `model_type` of `config.json`. */
const OF_MODEL_TYPES: Readonly<Record<string, string>> = {
  beit: 'Beit',
  bit: 'Bit',
  clip: 'CLIP',
  clip_vision_model: 'CLIP',
  conditional_detr: 'ConditionalDetr',
  convnext: 'ConvNext',
  convnextv2: 'ConvNext',
  cvt: 'ConvNext',
  'data2vec-vision': 'Beit',
  deformable_detr: 'DeformableDetr',
  deimv2: 'RTDetr',
  deit: 'DeiT',
  depth_anything: 'DPT',
  detr: 'Detr',
  dinat: 'ViT',
  dinov2: 'Bit',
  dpt: 'DPT',
  efficientformer: 'EfficientFormer',
  efficientnet: 'EfficientNet',
  focalnet: 'Bit',
  hiera: 'Bit',
  ijepa: 'ViT',
  levit: 'Levit',
  lw_detr: 'DeformableDetr',
  mask2former: 'Mask2Former',
  maskformer: 'MaskFormer',
  mobilenet_v1: 'MobileNetV1',
  mobilenet_v2: 'MobileNetV2',
  mobilevit: 'MobileViT',
  mobilevitv2: 'MobileViT',
  poolformer: 'PoolFormer',
  pvt: 'Pvt',
  pvt_v2: 'Pvt',
  regnet: 'ConvNext',
  resnet: 'ConvNext',
  rt_detr: 'RTDetr',
  rt_detr_v2: 'RTDetr',
  d_fine: 'RTDetr',
  segformer: 'Segformer',
  siglip: 'Siglip',
  siglip_vision_model: 'Siglip',
  swiftformer: 'ViT',
  swin: 'ViT',
  swinv2: 'ViT',
  'table-transformer': 'Detr',
  upernet: 'Segformer',
  vit: 'ViT',
  vit_hybrid: 'ViT',
  vit_mae: 'ViT',
  vit_msn: 'ViT',
  yolos: 'Yolos',
};

/** Classes of transformers that take other steps than those that are known here, such as cutting images into patches. */
const OTHERS: ReadonlySet<string> = new Set(
  `
    Apertus1p5 Aria BridgeTower CHMv2 Cohere2Vision CohereCompass Cosmos3Edge DeepseekOcr2 DeepseekVL DeepseekVLHybrid
    DepthPro Donut EfficientLoFTR Emu3 Eomt Ernie4_5_VLMoe Flava Fuyu Gemma3 Gemma4 Gemma4Unified Glm46V Glm4v Glm5Next
    GlmImage Glmga GLPN GotOcr2 GraniteDocling HunYuanVL HYV4VL Idefics Idefics2 Idefics3 ImageGPT Inkling Inkling2 Janus
    Kimi_K25 Kosmos2_5 LayoutLMv2 LayoutLMv3 Lfm2Vl LightGlue Llama4 Llava LlavaNext LlavaOnevision MiniCPMOcr MiniCPMV4_6
    MiniMaxM3VL Mllama Molmo2 MuseGlimmer NemotronH_Omni_Reasoning_V3 NeoMME Nougat Ovis2 Owlv2 PaddleOCRVL Perceiver
    PerceptionLM Phi4Multimodal Pix2Struct Pixtral PPDocLayoutV2 PPDocLayoutV3 PPDocLayoutV4 PPFormulaNet PPLCNet
    PPOCRV5ServerDet PPOCRV5ServerRec PPOCRV6SmallRec PromptDepthAnything Qwen2VL RfDetr Sam Sam2 Sam3 Sapiens2 SegGpt
    Siglip2 SLANeXt SmolVLM Step3p7 SuperGlue SuperPoint Swin2SR Tvp UltraVBert UnlimitedOcr UVDoc VideoLlama3 VideoLlava
    VideoMAE Vilt VitMatte VitPose Vivit ZoeDepth
  `
    .trim()
    .split(/\s+/),
);

/** The class that a file names; undefined if it is not known. */
export const processorClass = (type: string): ProcessorClass | undefined =>
  own(CLASSES, shortName(type));

/** The class that models of the type have; undefined if it is not known. */
export function classOfModels(modelType: string): ProcessorClass | undefined {
  const name = own(OF_MODEL_TYPES, modelType);
  return name === undefined ? undefined : CLASSES[name];
}

const own = <Value>(values: Readonly<Record<string, Value>>, name: string): Value | undefined =>
  Object.hasOwn(values, name) ? values[name] : undefined;

/** Whether the keys of a class do not say all that it does. */
export const takesOtherSteps = (type: string): boolean => OTHERS.has(shortName(type));

/** The class whose keys are read for one that is not known. */
export const UNKNOWN_CLASS: ProcessorClass = BASE;

/** The name without what all classes have in theirs. */
const shortName = (type: string) =>
  type.replace(/(?:ImageProcessor|FeatureExtractor)(?:Fast|Pil)?$/, '');
