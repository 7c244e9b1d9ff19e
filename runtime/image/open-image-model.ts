/** @module Makes what the operations on images know about a version, when its graph is loaded. */

import type { CanvasForm, FileTensor, PixelInput, TensorSpec } from '../../native/index.ts';
import { ServeError } from '../errors.ts';
import { type ChosenPreprocessing, choosePreprocessing } from './choose-preprocessing.ts';
import { findHead } from './heads.ts';
import type {
  ImageDefaults,
  ImageDescription,
  ImageInputForm,
  ImageModel,
  Preprocessing,
} from './image-model.ts';
import { type FoundInput, findInput } from './input-form.ts';
import { isBackground, numbersAsNames } from './labels.ts';
import type { FoundHead } from './outputs.ts';
import { fixedCanvas, placementOf } from './placement.ts';
import { type Metadata, type UltralyticsExport, ultralyticsExport } from './ultralytics.ts';

/** What `model.json` says about the images of a model. */
export interface ImageSettings extends ImageDefaults {
  /** The output that the task reads, for tasks that read one. */
  readonly output?: string | undefined;
  /** Whether `/v2` takes images as BYTES. */
  readonly decodes?: boolean | undefined;
}

/** Inputs and outputs, as a file or a session declares them, and what else the file says. */
export interface ImageGraph {
  readonly inputs: readonly (FileTensor | TensorSpec)[];
  readonly outputs: readonly (FileTensor | TensorSpec)[];
  /** The metadata of the ONNX file; undefined if it is not known. */
  readonly metadata?: Metadata | undefined;
}

/** Most pixels of a fixed size, for which memory is taken when the model loads. */
const MAX_CANVAS = 64 * 1024 * 1024;

/** How an image becomes the input, and how the outputs are read. */
interface Plan {
  readonly input: FoundInput;
  readonly found: FoundHead;
  readonly labels: readonly string[] | undefined;
  readonly chosen: ChosenPreprocessing;
  readonly notes: readonly string[];
}

/** With what the engine loads a graph whose input is an image. */
export interface ImageLoadOptions {
  /** The inputs for which requests may have pixels, which the engine normalises. */
  readonly inputs?: Readonly<Record<string, PixelInput>>;
  /**
   * Sizes for dimensions of the input that the file leaves open, if every image is laid out in the same size: with them the
   * engine finds out whether the model can be batched, although it may run with no other size, and measures what it costs.
   */
  readonly dimensions?: Readonly<Record<string, number>>;
}

/** @param graph What the file declares, before the load. */
export function imageLoadOptions(
  description: ImageDescription,
  graph: ImageGraph,
  settings: Pick<ImageSettings, 'output'> = {},
): ImageLoadOptions {
  try {
    const plan = planOf(description, graph, settings);
    if (typeof plan === 'string' || description.obstacle !== undefined) return {};
    const { input, chosen } = plan;
    const dimensions = openDimensions(plan, graph);
    if (!takesPixels(plan)) return { ...(dimensions && { dimensions }) };
    const form = { from: 'uint8-hwc', ...colorsOf(chosen.preprocessing, input) } as const;
    return {
      inputs: { [input.name]: { ...form, either: true } },
      ...(dimensions && { dimensions }),
    };
  } catch (error) {
    // It is thrown again when the model is opened.
    if (error instanceof ServeError) return {};
    throw error;
  }
}

function openDimensions(
  { input, chosen: { preprocessing } }: Plan,
  { inputs }: ImageGraph,
): Readonly<Record<string, number>> | undefined {
  const canvas = fixedCanvas(preprocessing);
  if (canvas === undefined) return undefined;
  const { dims, symbols } = inputs.find(({ name }) => name === input.name)!;
  const { channels } = input;
  const { width, height } = canvas;
  const own = input.channelsLast ? [height, width, channels] : [channels, height, width];
  const sizes = input.hasRows ? [undefined, ...own] : own;
  const open = symbols.flatMap((symbol, i) =>
    dims[i] === -1 && symbol !== '' && sizes[i] !== undefined ? [[symbol, sizes[i]] as const] : [],
  );
  const dimensions = Object.fromEntries(open);
  // A name may stand for several dimensions, and that of the rows must stay open.
  const isClear = open.every(
    ([symbol, size]) => dimensions[symbol] === size && !(input.hasRows && symbol === symbols[0]),
  );
  return open.length > 0 && isClear ? dimensions : undefined;
}

/**
 * The version for the operations on images.
 *
 * @param graph What the file declares, or the session, which knows more.
 * @param options With what the graph was loaded.
 * @returns It with notes for the operator; or a sentence without a full stop that says why its task cannot be served.
 * @throws {ServeError} `INVALID_CONFIG` if what the files say does not fit the graph.
 */
export function openImageModel(
  description: ImageDescription,
  settings: ImageSettings,
  graph: ImageGraph,
  { inputs = {}, dimensions }: ImageLoadOptions = {},
): { readonly model: ImageModel; readonly notes: readonly string[] } | string {
  if (description.obstacle !== undefined) return description.obstacle;
  const plan = planOf(description, graph, settings);
  if (typeof plan === 'string') return plan;
  const { input, found, chosen } = plan;
  const labels = labelsFor(found, plan.labels);
  const { threshold, iou, topK, maxDetections, background } = settings;
  const model: ImageModel = {
    task: description.task,
    input: inputForm(input, chosen.preprocessing, inputs[input.name] !== undefined),
    head: found.head,
    labels: labels.names,
    problemType: description.problemType,
    defaults: { threshold, iou, topK, maxDetections, background },
    decodes: settings.decodes ?? false,
  };
  const notes = [...description.notes, ...plan.notes, ...labels.notes, ...noteOfSizes(dimensions)];
  return { model, notes };
}

const noteOfSizes = (dimensions: ImageLoadOptions['dimensions']): readonly string[] =>
  dimensions === undefined
    ? []
    : [
        `The dimensions ${Object.keys(dimensions).join(', ')}, which the file leaves open, are ${Object.values(dimensions).join(', ')}, because every image is laid out so`,
      ];

/** @returns It, or why the task cannot be served. */
function planOf(
  description: ImageDescription,
  graph: ImageGraph,
  { output }: Pick<ImageSettings, 'output'>,
): Plan | string {
  const exported = ultralyticsExport(graph.metadata, description.labels !== undefined);
  const input = findInput(graph.inputs);
  if (typeof input === 'string') return input;
  const labels = description.labels ?? exported?.labels;
  const found = findHead({
    description,
    outputs: graph.outputs,
    hasRows: input.hasRows,
    labels: labels?.length,
    exported,
    output,
  });
  if (typeof found === 'string') return found;
  const chosen = choosePreprocessing(description, input, found.head, exported);
  if (typeof chosen === 'string') return chosen;
  checkCanvas(chosen.preprocessing);
  const notes = [...noteOfExport(exported, description), ...found.notes, ...chosen.notes];
  return { input, found, labels, chosen, notes };
}

/** @throws {ServeError} `INVALID_CONFIG` */
function checkCanvas(preprocessing: Preprocessing): void {
  const { width, height } = fixedCanvas(preprocessing) ?? { width: 0, height: 0 };
  if (width * height <= MAX_CANVAS) return;
  throw new ServeError(
    'INVALID_CONFIG',
    `The files say that images become ${width} × ${height} pixels, but at most ${MAX_CANVAS} are laid out; write a smaller size in preprocessor_config.json.`,
  );
}

function noteOfExport(
  exported: UltralyticsExport | undefined,
  { labels }: ImageDescription,
): readonly string[] {
  return exported?.labels !== undefined && labels === undefined
    ? [`The labels are the ${exported.labels.length} names in the metadata of the model file`]
    : [];
}

/** Whether the engine can make the input from bytes: it normalises what lies in the image, and nothing else. */
function takesPixels({ input, chosen: { preprocessing } }: Plan): boolean {
  const isPlanes = input.type === 'float32' && input.hasRows && !input.channelsLast;
  return isPlanes && !(preprocessing.pad?.afterNormalizing ?? false);
}

/** Names for the classes of the outputs. */
function labelsFor(
  { head, classes, hasBackground }: FoundHead,
  labels: readonly string[] | undefined,
): { readonly names: readonly string[]; readonly notes: readonly string[] } {
  if (head.kind === 'vector') return { names: [], notes: [] };
  if (labels === undefined) return { names: numbersAsNames(classes ?? 0), notes: [] };
  if (hasBackground && !isBackground(labels[0])) {
    const notes = [
      `Class 1 is '${labels[0]}', because class 0 of such models is the background, which "labels" does not name`,
    ];
    return { names: ['__background__', ...labels], notes };
  }
  if (classes === undefined || classes === labels.length) return { names: labels, notes: [] };
  throw new ServeError(
    'INVALID_CONFIG',
    `The configuration names ${labels.length} labels, but the outputs of the model have ${classes} classes; name as many labels.`,
  );
}

interface Colors {
  readonly scale: number;
  readonly mean: readonly number[];
  readonly std: readonly number[];
  readonly reverse: boolean;
}

/** One number for each channel. */
function colorsOf({ scale, mean, std, reverse }: Preprocessing, { channels }: FoundInput): Colors {
  return {
    scale,
    mean: perChannel(mean, channels, 'image_mean'),
    std: perChannel(std, channels, 'image_std'),
    reverse: reverse && channels === 3,
  };
}

function perChannel(numbers: readonly number[], channels: number, key: string): readonly number[] {
  if (numbers.length === channels) return numbers;
  if (new Set(numbers).size === 1) return Array.from({ length: channels }, () => numbers[0]!);
  throw new ServeError(
    'INVALID_CONFIG',
    `${key} has ${numbers.length} numbers, but the input has ${channels} ${channels === 1 ? 'channel' : 'channels'}; write one for each.`,
  );
}

function inputForm(
  input: FoundInput,
  preprocessing: Preprocessing,
  isPixels: boolean,
): ImageInputForm {
  const { channels, channelsLast, hasRows, mask } = input;
  const colors = colorsOf(preprocessing, input);
  const isBytes = isPixels || input.type === 'uint8';
  const order = isPixels || channelsLast ? 'hwc' : 'chw';
  const value = preprocessing.pad?.value ?? 0;
  // Bytes beside the image are normalised as those of the image.
  const asFloat = (c: number) =>
    preprocessing.pad?.afterNormalizing
      ? value
      : (value * colors.scale - colors.mean[c]!) / colors.std[c]!;
  const form: CanvasForm = {
    layout: `${isBytes ? 'uint8' : (input.type as 'float32' | 'float16')}-${order}`,
    channels,
    fill: Array.from({ length: channels }, (_, c) => (isBytes ? value : asFloat(c))),
    ...(isBytes ? {} : { scale: colors.scale, mean: colors.mean, std: colors.std }),
    // The engine swaps the channels of pixels itself.
    reverse: isPixels ? false : colors.reverse,
  };
  return {
    name: input.name,
    mask: mask?.name,
    maskType: mask?.type,
    hasRows,
    type: isPixels ? 'pixels' : input.type,
    form,
    placement: (width, height) => placementOf(preprocessing, width, height),
  };
}
