/** @module What the outputs of vision models show: boxes and masks, found by the addon on threads of the runtime's pool. */

import { addonCalls } from './addon-call.ts';
import { MillraceError } from './errors.ts';
import type {
  Boxes,
  BoxHead,
  BoxOptions,
  CanvasGeometry,
  HeadTensor,
  Images,
  Mask,
  Segment,
  SegmentHead,
} from './image-types.ts';
import type { CancelSignal } from './run-types.ts';

/** The arguments of both functions on outputs; see addon/detection_arguments.h. */
type DetectionCall = readonly [
  head: Float64Array,
  geometry: Float64Array,
  options: Float64Array,
  classes: Int32Array | null,
  cancelled: Int32Array | null,
  ...tensors: unknown[],
];

/** Functions of the addon that addon/detection_calls.h describes. */
export interface NativeDetections {
  findBoxes(
    ...call: DetectionCall
  ): Promise<
    readonly [corners: ArrayBuffer, scores: ArrayBuffer, classes: ArrayBuffer, sources: ArrayBuffer]
  >;
  findSegments(
    ...call: DetectionCall
  ): Promise<readonly [numbers: ArrayBuffer, counts: readonly ArrayBuffer[]]>;
  maskBitmap(counts: Uint32Array, width: number, height: number): Promise<ArrayBuffer>;
  maskPolygons(
    counts: Uint32Array,
    width: number,
    height: number,
  ): Promise<readonly [coordinates: ArrayBuffer, ends: ArrayBuffer]>;
}

/** The numbers of the enum `BoxKind` in image/boxes.h. */
const BOX_KINDS = { yolo: 0, 'yolo-nms': 1, detr: 2, listed: 3 } as const;

/** The numbers of the enum `SegmentKind` in image/segments.h. */
const SEGMENT_KINDS = { semantic: 0, 'yolo-seg': 1, 'mask-rcnn': 2, maskformer: 3 } as const;

/** The numbers that `findSegments` returns for each segment. */
const SEGMENT_NUMBERS = 7;

const invalid = (message: string) => new MillraceError('INVALID_ARGUMENT', message);

const flag = (value: boolean): number => (value ? 1 : 0);

/** @throws {MillraceError} `INVALID_ARGUMENT` */
function numberOf<Kind extends string>(kinds: Readonly<Record<Kind, number>>, kind: Kind): number {
  if (Object.hasOwn(kinds, kind)) return kinds[kind];
  const known = Object.keys(kinds).join(', ');
  throw invalid(`The kind of head is ${String(kind)}: expected one of ${known}`);
}

/** In the order of the enum `HeadWord` in addon/detection_arguments.h. */
function headWords(head: BoxHead, segments?: SegmentHead): Float64Array {
  return Float64Array.of(
    numberOf(BOX_KINDS, head.kind),
    flag(head.kind === 'yolo' && head.objectness),
    head.kind === 'yolo' ? head.classes : 0,
    'extra' in head ? head.extra : 0,
    flag(head.kind === 'detr' && head.activation === 'softmax'),
    segments === undefined ? 0 : numberOf(SEGMENT_KINDS, segments.kind),
    flag(segments?.kind === 'mask-rcnn' && segments.inBoxes),
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

/** @throws {MillraceError} `INVALID_ARGUMENT` */
function timeoutNanoseconds(timeoutMs: number | undefined): number {
  if (timeoutMs === undefined) return -1;
  if (typeof timeoutMs === 'number' && timeoutMs >= 0) return timeoutMs * 1e6;
  throw invalid(`timeoutMs is ${timeoutMs}: expected a number of milliseconds, 0 or more`);
}

/** In the order of the enum `OptionWord`. */
const optionWords = (options: BoxOptions & { readonly maskThreshold?: number }): Float64Array =>
  Float64Array.of(
    options.threshold,
    options.iou,
    options.maxDetections,
    flag(options.agnostic),
    flag(options.nms === 'soft'),
    options.maskThreshold ?? 0,
    timeoutNanoseconds(options.timeoutMs),
  );

function tensorArguments(tensors: readonly HeadTensor[]): unknown[] {
  return tensors.flatMap(({ data, dims }, i) => {
    if (!(data instanceof Float32Array)) {
      throw invalid(`The data of output ${i} is not a Float32Array`);
    }
    return [data, Float64Array.from(dims)];
  });
}

/** Calls `work` with an element that becomes 1 when the signal aborts. Rejects with the reason of the signal then. */
async function withFlag<Result>(
  signal: CancelSignal | undefined,
  work: (cancelled: Int32Array | null) => Promise<Result>,
): Promise<Result> {
  if (signal === undefined) return await work(null);
  const cancelled = new Int32Array(new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT));
  const cancel = () => void Atomics.store(cancelled, 0, 1);
  signal.addEventListener('abort', cancel);
  // A signal that has aborted sends no event.
  if (signal.aborted) cancel();
  try {
    return await work(cancelled);
  } catch (error) {
    throw signal.aborted ? signal.reason : error;
  } finally {
    signal.removeEventListener('abort', cancel);
  }
}

function detectionCall(
  head: Float64Array,
  tensors: readonly HeadTensor[],
  geometry: CanvasGeometry,
  options: BoxOptions & { readonly maskThreshold?: number },
  cancelled: Int32Array | null,
): DetectionCall {
  return [
    head,
    geometryWords(geometry),
    optionWords(options),
    checkClasses(options.classes),
    cancelled,
    ...tensorArguments(tensors),
  ];
}

function toSegments(
  { width, height }: CanvasGeometry,
  numbers: Float64Array,
  counts: readonly ArrayBuffer[],
): Segment[] {
  return counts.map((buffer, i) => {
    const [label, score, area, left, top, boxWidth, boxHeight] = numbers.subarray(
      i * SEGMENT_NUMBERS,
    ) as unknown as [number, number, number, number, number, number, number];
    const box = [left, top, boxWidth, boxHeight] as const;
    const mask: Mask = { width, height, counts: new Uint32Array(buffer), area, box };
    return { class: label, score, mask };
  });
}

/** @throws {MillraceError} `INVALID_ARGUMENT` */
function maskArguments({ counts, width, height }: Mask): [Uint32Array, number, number] {
  if (counts instanceof Uint32Array) return [counts, width, height];
  throw invalid('The counts of the mask are not a Uint32Array');
}

/** Where boxes have no part in a head, any kind stands for them. */
const boxesOf = (head: SegmentHead): BoxHead =>
  head.kind === 'yolo-seg' ? head.boxes : { kind: 'listed' };

function checkClasses(classes: Int32Array | undefined): Int32Array | null {
  if (classes === undefined || classes instanceof Int32Array) return classes ?? null;
  throw invalid('The classes are not an Int32Array');
}

/** Returns the functions on outputs, which all work on other threads. */
export function bindDetections(
  native: NativeDetections,
): Pick<Images, 'boxes' | 'segments' | 'bitmap' | 'polygons'> {
  const call = addonCalls();
  return {
    boxes: (head, tensors, geometry, options) =>
      withFlag(options.signal, (cancelled) =>
        call(async (): Promise<Boxes> => {
          const [corners, scores, classes, sources] = await native.findBoxes(
            ...detectionCall(headWords(head), tensors, geometry, options, cancelled),
          );
          return {
            count: scores.byteLength / Float32Array.BYTES_PER_ELEMENT,
            corners: new Float32Array(corners),
            scores: new Float32Array(scores),
            classes: new Int32Array(classes),
            sources: new Int32Array(sources),
          };
        }),
      ),
    segments: (head, tensors, geometry, options) =>
      withFlag(options.signal, (cancelled) =>
        call(async () => {
          const words = headWords(boxesOf(head), head);
          const call = detectionCall(words, tensors, geometry, options, cancelled);
          const [numbers, counts] = await native.findSegments(...call);
          return toSegments(geometry, new Float64Array(numbers), counts);
        }),
      ),
    bitmap: (mask) =>
      call(async () => new Uint8Array(await native.maskBitmap(...maskArguments(mask)))),
    polygons: (mask) =>
      call(async () => {
        const [coordinates, ends] = await native.maskPolygons(...maskArguments(mask));
        const all = new Int32Array(coordinates);
        const last = [...new Uint32Array(ends)];
        return last.map((end, i) => Array.from(all.subarray(last[i - 1] ?? 0, end)));
      }),
  };
}
