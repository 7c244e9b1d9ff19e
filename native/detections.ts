/** @module What the outputs of vision models show: boxes, found by the addon on threads of the runtime's pool. */

import { fromAddon } from './binding.ts';
import { DenoWakeup } from './deno-wakeup.ts';
import { MillraceError } from './errors.ts';
import type {
  Boxes,
  BoxHead,
  BoxOptions,
  CanvasGeometry,
  HeadTensor,
  Images,
} from './image-types.ts';

/** The arguments of both functions on outputs; see addon/detection_arguments.h. */
type DetectionCall = readonly [
  head: Float64Array,
  geometry: Float64Array,
  options: Float64Array,
  classes: Int32Array | null,
  ...tensors: unknown[],
];

/** Functions of the addon that addon/detection_calls.h describes. */
export interface NativeDetections {
  findBoxes(
    ...call: DetectionCall
  ): Promise<
    readonly [corners: ArrayBuffer, scores: ArrayBuffer, classes: ArrayBuffer, sources: ArrayBuffer]
  >;
}

/** The numbers of the enum `BoxKind` in image/boxes.h. */
const BOX_KINDS = { yolo: 0, 'yolo-nms': 1, detr: 2, listed: 3 } as const;

const invalid = (message: string) => new MillraceError('INVALID_ARGUMENT', message);

const flag = (value: boolean): number => (value ? 1 : 0);

/** In the order of the enum `HeadWord` in addon/detection_arguments.h. */
function headWords(head: BoxHead): Float64Array {
  const kind = BOX_KINDS[head.kind];
  if (kind === undefined) {
    throw invalid(`The kind of head is ${String(head.kind)}: expected ${Object.keys(BOX_KINDS)}`);
  }
  return Float64Array.of(
    kind,
    flag(head.kind === 'yolo' && head.objectness),
    head.kind === 'yolo' ? head.classes : 0,
    'extra' in head ? head.extra : 0,
    flag(head.kind === 'detr' && head.activation === 'softmax'),
  );
}

/** In the order of the enum `GeometryWord`. */
const geometryWords = (geometry: CanvasGeometry): Float64Array =>
  Float64Array.of(
    geometry.left,
    geometry.top,
    geometry.scaleX,
    geometry.scaleY,
    geometry.canvasWidth,
    geometry.canvasHeight,
    geometry.width,
    geometry.height,
  );

/** In the order of the enum `OptionWord`. */
const optionWords = (options: BoxOptions & { readonly maskThreshold?: number }): Float64Array =>
  Float64Array.of(
    options.threshold,
    options.iou,
    options.maxDetections,
    flag(options.agnostic),
    flag(options.nms === 'soft'),
    options.maskThreshold ?? 0,
  );

function tensorArguments(tensors: readonly HeadTensor[]): unknown[] {
  return tensors.flatMap(({ data, dims }, i) => {
    if (!(data instanceof Float32Array)) {
      throw invalid(`The data of output ${i} is not a Float32Array`);
    }
    return [data, Float64Array.from(dims)];
  });
}

function checkClasses(classes: Int32Array | undefined): Int32Array | null {
  if (classes === undefined || classes instanceof Int32Array) return classes ?? null;
  throw invalid('The classes are not an Int32Array');
}

/** Returns the functions on outputs, which all work on other threads. */
export function bindDetections(native: NativeDetections): Pick<Images, 'boxes'> {
  const wakeup = process.versions.deno === undefined ? undefined : new DenoWakeup();
  const call = async <T>(operation: () => Promise<T>): Promise<T> => {
    wakeup?.begin();
    try {
      return await operation();
    } catch (cause) {
      throw fromAddon(cause);
    } finally {
      wakeup?.end();
    }
  };
  return {
    boxes: (head, tensors, geometry, options) =>
      call(async (): Promise<Boxes> => {
        const [corners, scores, classes, sources] = await native.findBoxes(
          headWords(head),
          geometryWords(geometry),
          optionWords(options),
          checkClasses(options.classes),
          ...tensorArguments(tensors),
        );
        return {
          count: scores.byteLength / Float32Array.BYTES_PER_ELEMENT,
          corners: new Float32Array(corners),
          scores: new Float32Array(scores),
          classes: new Int32Array(classes),
          sources: new Int32Array(sources),
        };
      }),
  };
}
