/** @module The parts of images: things, or regions of a class. */

import type {
  CanvasGeometry,
  Segment,
  SegmentHead,
  SegmentOptions,
} from '../../../native/index.ts';
import { ServeError } from '../../errors.ts';
import type { ImageModel } from '../../image/image-model.ts';
import type { Box } from './box.ts';
import { type BoxRequest, boxOptionsOf, className } from './box-options.ts';
import { checkWaits, patienceOf } from './check-waits.ts';
import { encodeImages } from './encode-images.ts';
import { headTensors } from './head-tensors.ts';
import { type MaskContent, type MaskFormat, MaskWriter } from './mask-content.ts';
import type { ImageInput, ImageOperation } from './operation.ts';
import { readingOf } from './output-floats.ts';
import { overlayOf } from './overlay.ts';

/**
 * `threshold` is for the boxes or queries that masks belong to. Semantic models have none: there it is the default of
 * `maskThreshold`.
 */
export interface SegmentInput extends ImageInput, Omit<BoxRequest, 'classes'> {
  /** Default: `png`. */
  readonly format?: MaskFormat | undefined;
  /**
   * The probability from which a pixel belongs to a mask; where pixels have one of several classes, it has no effect. Default: 0.5.
   */
  readonly maskThreshold?: number | undefined;
  /** Whether the pictures with their masks are wanted too. Default: false. */
  readonly overlay?: boolean | undefined;
  /** Whether nothing but the picture is wanted: then there are no segments. Default: false. */
  readonly onlyOverlay?: boolean | undefined;
}

export interface ImageSegment {
  readonly class: string;
  /** 0 to 1; for semantic models the mean probability of the mask. */
  readonly confidence: number;
  /** Pixels of the mask. */
  readonly area: number;
  /** The smallest box that holds the mask. */
  readonly box: Box;
  readonly mask: MaskContent;
}

export interface ImageSegments {
  /** By falling confidence, those of semantic models by class. */
  readonly segments: readonly ImageSegment[];
  /** A PNG file. */
  readonly overlay?: Uint8Array;
}

export interface SegmentOutput {
  readonly results: readonly ImageSegments[];
}

interface Context {
  readonly geometries: readonly CanvasGeometry[];
  readonly head: MaskOutputs;
  readonly options: SegmentOptions;
  readonly input: SegmentInput;
}

interface MaskOutputs {
  readonly native: SegmentHead;
  readonly outputs: readonly string[];
}

const THRESHOLD = 0.5;
const MASK_THRESHOLD = 0.5;

export const segment: ImageOperation<SegmentInput, Context, SegmentOutput> = {
  tasks: ['image-segmentation'],
  async prepare(model, input, tools, waiter) {
    const head = masksOf(model);
    const boxes = boxOptionsOf(model, input, THRESHOLD);
    // Without boxes and queries there is only the one threshold.
    const usual = head.native.kind === 'semantic' ? boxes.threshold : MASK_THRESHOLD;
    const options = { ...boxes, maskThreshold: input.maskThreshold ?? usual };
    const { runs, geometries } = await encodeImages(model, input, tools, waiter);
    return { runs, outputs: head.outputs, context: { geometries, head, options, input } };
  },
  async answer(model, results, { geometries, head, options, input }, tools, waiter) {
    const writer = new MaskWriter(tools.images, input.format ?? 'png');
    const answers: ImageSegments[] = [];
    // One image after another, because masks may need much memory.
    for (const [i, result] of results.entries()) {
      checkWaits(waiter);
      const tensors = headTensors(head.native.kind, head.outputs, result);
      const found = await readingOf(
        tools.images.segments(head.native, tensors, geometries[i]!, {
          ...options,
          ...patienceOf(waiter),
        }),
      );
      const segments: ImageSegment[] = [];
      for (const each of input.onlyOverlay ? [] : found) {
        // Many masks of large images take seconds.
        checkWaits(waiter);
        segments.push(await describe(model, each, writer));
      }
      if (input.overlay) {
        const drawn = () => overlayOf(model, input, i, found, tools, waiter);
        answers.push({ segments, overlay: await writer.writeOverlay(geometries[i]!, drawn) });
      } else {
        answers.push({ segments });
      }
    }
    return { results: answers };
  },
};

/** @throws {ServeError} `WRONG_TASK` for a model without masks. */
function masksOf({ head }: ImageModel): MaskOutputs {
  if (head.kind === 'masks') return head;
  throw new ServeError(
    'WRONG_TASK',
    'The model does not segment images: its outputs have no masks.',
  );
}

async function describe(
  { labels }: ImageModel,
  { class: index, score, mask }: Segment,
  writer: MaskWriter,
): Promise<ImageSegment> {
  const [x, y, width, height] = mask.box;
  return {
    class: className(labels, index),
    confidence: score,
    area: mask.area,
    box: { x, y, width, height },
    mask: await writer.write(mask),
  };
}
